"""Archives: written and read back exactly; a hostile one writes nothing outside of the folder."""

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.errors import MalformedTrain
from entrypoint.files.tar_reader import unpack
from entrypoint.files.tar_writer import TarWriter, member
from entrypoint.files.tree import Entry, Kind, walk
from tests.station import snapshot


def archive(folder: Path, output: Path) -> None:
    """Archive a folder and its own attributes."""
    with output.open("xb") as file:
        tar = TarWriter(file)
        tar.add(member(Entry(".", Kind.DIRECTORY, folder.stat()), "."))
        for entry in walk(folder):
            info = member(entry, entry.path)
            if entry.kind is Kind.FILE:
                with (folder / entry.path).open("rb") as source:
                    tar.add_file(info, source)
            else:
                tar.add(info)
        tar.close()


def write_tar(path: Path, *members: tarfile.TarInfo, data: bytes = b"planted") -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for info in members:
            info.size = len(data) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)


def info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def test_everything_but_owners_and_rights_to_run_as_them_comes_back(
    full: Path, tmp_path: Path
) -> None:
    archive(full, tmp_path / "good.tar")
    (tmp_path / "back").mkdir()

    unpack(tmp_path / "good.tar", tmp_path / "back")

    me = os.geteuid(), os.getegid()
    assert snapshot(tmp_path / "back") == {
        name: node._replace(owner=me, mode=node.mode & 0o777)
        for name, node in snapshot(full).items()
    }
    back = (tmp_path / "back" / "a" / "file").stat()
    assert int(back.st_mtime) == int((full / "a" / "file").stat().st_mtime)


def test_folders_need_not_be_described(tmp_path: Path) -> None:
    write_tar(tmp_path / "some.tar", info("a/b/file"), info("c/link", tarfile.SYMTYPE, "x"))
    (tmp_path / "back").mkdir()

    unpack(tmp_path / "some.tar", tmp_path / "back")

    assert (tmp_path / "back" / "a" / "b" / "file").read_bytes() == b"planted"
    assert (tmp_path / "back" / "c" / "link").readlink() == Path("x")


def test_an_archive_is_what_tarfile_reads(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    contents = {"a": b"", "b": b"1" * 511, "c": b"2" * 512, "ü" * 120: b"3" * 513, "\udcff": b"4"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)

    archive(folder, tmp_path / "good.tar")

    with tarfile.open(tmp_path / "good.tar") as tar:
        files = [member for member in tar if member.isreg()]
        found = {member.name: tar.extractfile(member) for member in files}
        assert {name: file.read() for name, file in found.items() if file} == contents


def test_a_file_whose_size_changes_while_it_is_archived_is_an_error(tmp_path: Path) -> None:
    changed = info("a")
    changed.size = 8
    with (tmp_path / "short.tar").open("xb") as file, pytest.raises(OSError, match="size changed"):
        TarWriter(file).add_file(changed, io.BytesIO(b"seven b"))


HOSTILE: dict[str, list[tarfile.TarInfo]] = {
    "folders without end": [info("d/" * 600 + "f")],
    "an absolute path": [info("/outside")],
    "a path that climbs": [info("../outside")],
    "a path that climbs later": [info("a/../../outside")],
    "a folder that climbs": [info("../outside", tarfile.DIRTYPE)],
    "a symlink that climbs by name": [info("../outside", tarfile.SYMTYPE, "x")],
    "a hard link to the outside": [info("a", tarfile.LNKTYPE, "../secret")],
    "a hard link to an absolute path": [info("a", tarfile.LNKTYPE, "/etc/hostname")],
    "a hard link to nothing": [info("a", tarfile.LNKTYPE, "b")],
    "a hard link to a folder": [info("d", tarfile.DIRTYPE), info("a", tarfile.LNKTYPE, "d")],
    "a hard link to a symlink": [
        info("l", tarfile.SYMTYPE, "../secret"),
        info("a", tarfile.LNKTYPE, "l"),
    ],
    "a file through a symlink": [info("l", tarfile.SYMTYPE, ".."), info("l/outside")],
    "a symlink over a folder": [info("l/outside"), info("l", tarfile.SYMTYPE, "..")],
    "a file twice": [info("a"), info("a")],
    "a file twice, once as ./": [info("a"), info("./a")],
    "a symlink in the place of a file": [info("a"), info("a", tarfile.SYMTYPE, "../secret")],
    "a file below a file": [info("a"), info("a/b")],
    "a file far below a file": [info("a"), info("a/b/c")],
    "a folder in the place of a file": [info("a"), info("a", tarfile.DIRTYPE)],
    "a file in the place of the folder itself": [info(".")],
    "a FIFO": [info("pipe", tarfile.FIFOTYPE)],
    "a character device": [info("null", tarfile.CHRTYPE)],
    "a block device": [info("disk", tarfile.BLKTYPE)],
    "an unknown type": [info("what", b"Z")],
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_members_are_refused(members: list[tarfile.TarInfo], tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "back").mkdir()
    write_tar(tmp_path / "hostile.tar", *members)

    with pytest.raises(MalformedTrain) as caught:
        unpack(tmp_path / "hostile.tar", tmp_path / "back")

    assert caught.value.code == "archive-malformed"
    assert {path.name for path in tmp_path.iterdir()} == {"back", "hostile.tar", "secret"}
    assert (tmp_path / "secret").stat().st_nlink == 1


def late_nul(data: bytes) -> bytes:
    made = info("l", tarfile.SYMTYPE, "x")
    made.pax_headers = {"linkpath": "a\0b"}
    return made.tobuf(tarfile.PAX_FORMAT) + bytes(1024)


def late_time(data: bytes) -> bytes:
    made = info("f")
    made.pax_headers = {"mtime": str(2**80)}
    return made.tobuf(tarfile.PAX_FORMAT) + bytes(1024)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "no archive": lambda data: b"not a tar archive" * 100,
    "cut in a header": lambda data: data[:300],
    "cut in a file": lambda data: data[: len(data) // 2],
    "compressed": lambda data: b"\x1f\x8b\x08" + data,
    "cut and compressed": lambda data: gzip.compress(data[: len(data) // 2]),
    "compressed and cut": lambda data: gzip.compress(data)[:-300],
    "compressed and damaged": lambda data: gzip.compress(data)[:40] + bytes(20000),
    "a wrong checksum": lambda data: data[:148] + b"0000000\0" + data[156:],
    "a NUL in a link": late_nul,
    "a time beyond all numbers": late_time,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_what_is_no_complete_archive_is_refused(
    damage: Callable[[bytes], bytes], full: Path, tmp_path: Path
) -> None:
    archive(full, tmp_path / "good.tar")
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(damage((tmp_path / "good.tar").read_bytes()))
    (tmp_path / "back").mkdir()

    with pytest.raises(MalformedTrain) as caught:
        unpack(damaged, tmp_path / "back")

    assert caught.value.code == "archive-malformed"


def test_a_special_file_has_no_place_in_an_archive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    [entry] = walk(tmp_path)

    with pytest.raises(MalformedTrain, match="pipe is a device, FIFO or socket"):
        member(entry, entry.path)


def test_modes_are_set_after_the_contents(tmp_path: Path) -> None:
    sealed = info("sealed", tarfile.DIRTYPE)
    sealed.mode = 0o500
    write_tar(
        tmp_path / "some.tar", sealed, info("sealed/inner", tarfile.DIRTYPE), info("sealed/x")
    )
    (tmp_path / "back").mkdir()

    unpack(tmp_path / "some.tar", tmp_path / "back")

    assert stat.S_IMODE((tmp_path / "back" / "sealed").stat().st_mode) == 0o500


def test_a_header_that_claims_more_than_memory_holds_is_refused(tmp_path: Path) -> None:
    huge = info("long", tarfile.GNUTYPE_LONGNAME)
    huge.size = 1 << 42
    (tmp_path / "huge.tar").write_bytes(huge.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    (tmp_path / "to").mkdir()
    with pytest.raises(MalformedTrain):
        unpack(tmp_path / "huge.tar", tmp_path / "to")
    assert not os.listdir(tmp_path / "to")


def test_a_sparse_member_is_refused(tmp_path: Path) -> None:
    sparse = info("sparse")
    sparse.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "sparse",
        "GNU.sparse.realsize": str(1 << 40),
    }
    write_tar(tmp_path / "sparse.tar", sparse, data=b"0\n".ljust(512, b"\0"))
    (tmp_path / "to").mkdir()
    with pytest.raises(MalformedTrain):
        unpack(tmp_path / "sparse.tar", tmp_path / "to")
    assert not os.listdir(tmp_path / "to")

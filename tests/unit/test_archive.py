"""Archives: what is kept comes back exactly, and a hostile one writes nowhere else."""

import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint import archive
from entrypoint.errors import MalformedTrain
from entrypoint.tree import Entry, Kind, walk
from tests.station import snapshot


def keep(folder: Path, output: Path) -> None:
    """Archive a folder and its own attributes."""
    with output.open("xb") as file:
        tar = archive.Writer(file)
        tar.add(archive.member(Entry(".", Kind.DIRECTORY, folder.stat()), "."))
        for entry in walk(folder):
            info = archive.member(entry, entry.path)
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


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A folder with one of everything."""
    folder = tmp_path / "full"
    (folder / "a" / "empty").mkdir(parents=True)
    (folder / "a" / "file").write_bytes(os.urandom(3_000_000))
    (folder / "a" / "again").hardlink_to(folder / "a" / "file")
    (folder / "none").touch()
    (folder / "ü 🚂 \n").write_bytes(b"x")
    (folder / os.fsdecode(b"\xff\xfe")).write_bytes(b"undecodable")
    (folder / ("long" * 50)).mkdir()
    (folder / ("long" * 50) / ("name" * 50)).write_bytes(b"y")
    (folder / "link").symlink_to("a/file")
    (folder / "dangling").symlink_to("nowhere/" * 30)
    (folder / "a" / "file").chmod(0o4751)
    (folder / "a" / "empty").chmod(0o1711)
    (folder / "a").chmod(0o555)
    folder.chmod(0o750)
    if os.geteuid() == 0:
        for path in ("link", "none", "a"):
            os.chown(folder / path, 1000, 1001, follow_symlinks=False)
    return folder


def test_everything_comes_back_as_it_was(full: Path, tmp_path: Path) -> None:
    keep(full, tmp_path / "kept.tar")
    (tmp_path / "back").mkdir()

    described = archive.restore(tmp_path / "kept.tar", tmp_path / "back", owners=os.geteuid() == 0)

    assert described
    assert snapshot(tmp_path / "back") == snapshot(full)
    back = (tmp_path / "back" / "a" / "file").stat()
    assert int(back.st_mtime) == int((full / "a" / "file").stat().st_mtime)


def test_owners_are_left_alone_unless_asked_for(full: Path, tmp_path: Path) -> None:
    keep(full, tmp_path / "kept.tar")
    (tmp_path / "back").mkdir()

    archive.restore(tmp_path / "kept.tar", tmp_path / "back", owners=False)

    owners = {node.owner for node in snapshot(tmp_path / "back").values()}
    assert owners == {(os.geteuid(), os.getegid())}


def test_an_archive_need_not_describe_the_folder_itself(tmp_path: Path) -> None:
    write_tar(tmp_path / "some.tar", info("a/b/file"), info("c/link", tarfile.SYMTYPE, "x"))
    (tmp_path / "back").mkdir(mode=0o700)

    assert not archive.restore(tmp_path / "some.tar", tmp_path / "back", owners=False)

    assert (tmp_path / "back" / "a" / "b" / "file").read_bytes() == b"planted"
    assert (tmp_path / "back" / "c" / "link").readlink() == Path("x")


def test_an_archive_is_what_tarfile_reads(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    contents = {"a": b"", "b": b"1" * 511, "c": b"2" * 512, "ü" * 120: b"3" * 513, "\udcff": b"4"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)

    keep(folder, tmp_path / "kept.tar")

    with tarfile.open(tmp_path / "kept.tar") as tar:
        files = [member for member in tar if member.isreg()]
        found = {member.name: tar.extractfile(member) for member in files}
        assert {name: file.read() for name, file in found.items() if file} == contents


def test_a_file_whose_size_changes_while_it_is_archived_is_an_error(tmp_path: Path) -> None:
    changed = info("a")
    changed.size = 8
    with (tmp_path / "short.tar").open("xb") as file, pytest.raises(OSError, match="size changed"):
        archive.Writer(file).add_file(changed, b"seven b")


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
        archive.restore(tmp_path / "hostile.tar", tmp_path / "back", owners=False)

    assert caught.value.code == "archive-malformed"
    assert {path.name for path in tmp_path.iterdir()} == {"back", "hostile.tar", "secret"}
    assert (tmp_path / "secret").stat().st_nlink == 1


def late_nul(data: bytes) -> bytes:
    made = info("l", tarfile.SYMTYPE, "x")
    made.pax_headers = {"linkpath": "a\0b"}
    return made.tobuf(tarfile.PAX_FORMAT) + bytes(1024)


def huge_owner(data: bytes) -> bytes:
    made = info("f")
    made.pax_headers = {"uid": str(2**80)}
    return made.tobuf(tarfile.PAX_FORMAT) + bytes(1024)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "no archive": lambda data: b"not a tar archive" * 100,
    "cut in a header": lambda data: data[:300],
    "cut in a file": lambda data: data[: len(data) // 2],
    "compressed": lambda data: b"\x1f\x8b\x08" + data,
    "a wrong checksum": lambda data: data[:148] + b"0000000\0" + data[156:],
    "a NUL in a link": late_nul,
    "an owner beyond all numbers": huge_owner,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_what_is_no_complete_archive_is_refused(
    damage: Callable[[bytes], bytes], full: Path, tmp_path: Path
) -> None:
    keep(full, tmp_path / "kept.tar")
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(damage((tmp_path / "kept.tar").read_bytes()))
    (tmp_path / "back").mkdir()

    with pytest.raises(MalformedTrain) as caught:
        archive.restore(damaged, tmp_path / "back", owners=True)

    assert caught.value.code == "archive-malformed"


def test_a_special_file_has_no_place_in_an_archive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    [entry] = walk(tmp_path)

    with pytest.raises(MalformedTrain, match="pipe is a device, FIFO or socket"):
        archive.member(entry, entry.path)


def test_modes_are_set_after_the_contents(tmp_path: Path) -> None:
    sealed = info("sealed", tarfile.DIRTYPE)
    sealed.mode = 0o500
    write_tar(
        tmp_path / "some.tar", sealed, info("sealed/inner", tarfile.DIRTYPE), info("sealed/x")
    )
    (tmp_path / "back").mkdir()

    archive.restore(tmp_path / "some.tar", tmp_path / "back", owners=False)

    assert stat.S_IMODE((tmp_path / "back" / "sealed").stat().st_mode) == 0o500


def test_a_header_that_claims_more_than_memory_holds_is_refused(tmp_path: Path) -> None:
    huge = info("long", tarfile.GNUTYPE_LONGNAME)
    huge.size = 1 << 42
    (tmp_path / "huge.tar").write_bytes(huge.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    (tmp_path / "to").mkdir()
    with pytest.raises(MalformedTrain):
        archive.restore(tmp_path / "huge.tar", tmp_path / "to", owners=False)
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
        archive.restore(tmp_path / "sparse.tar", tmp_path / "to", owners=False)
    assert not os.listdir(tmp_path / "to")

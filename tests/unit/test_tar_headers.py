"""Archives with impossible values in headers are malformed, and no failure of the disk."""

import stat
import tarfile
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrypoint.errors import MalformedTrain
from entrypoint.files.tar_reader import unpack

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)


def header(
    name: str = "member", kind: bytes = tarfile.REGTYPE, *, gnu: bool = False, **fields: object
) -> bytes:
    """Return the header of a member without contents; `pax_headers` are written as they are."""
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT if gnu else tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def pax(**records: str) -> bytes:
    """Return a member with extended headers."""
    return header(pax_headers=records)


def nested_long_names(count: int) -> bytes:
    """Return headers each of which is the name of the next one."""
    long_name = header("././@LongLink", tarfile.GNUTYPE_LONGNAME, gnu=True, size=1)
    return (long_name + b"x".ljust(BLOCK, b"\0")) * count + header()


def assert_malformed(members: bytes, folder: Path) -> MalformedTrain:
    """Check that an archive is refused as malformed, and nothing made beside it."""
    (folder / "some.tar").write_bytes(members + END)
    (folder / "back").mkdir()
    with pytest.raises(MalformedTrain) as caught:
        unpack(folder / "some.tar", folder / "back")
    assert caught.value.code == "archive-malformed"
    assert {path.name for path in folder.iterdir()} == {"some.tar", "back"}
    return caught.value


IMPOSSIBLE = {
    "a name of 100 kB": header("n" * 100_000),
    "a name of 100 kB, the GNU way": header("n" * 100_000, gnu=True),
    "a folder with a name of 300 bytes": header("n" * 300, tarfile.DIRTYPE),
    "a parent with a name of 300 bytes": header("n" * 300 + "/file"),
    "a symlink with a name of 300 bytes": header("n" * 300, tarfile.SYMTYPE, linkname="x"),
    "a symlink to a name of 5,000 bytes": header("l", tarfile.SYMTYPE, linkname="x" * 5000),
    "a symlink to nothing": header("l", tarfile.SYMTYPE),
    "a hard link to a name of 5,000 bytes": header("l", tarfile.LNKTYPE, linkname="x" * 5000),
    "a time of 2^62": pax(mtime=str(2**62)),
    "a time of -2^62": pax(mtime=str(-(2**62))),
    "a time beyond all numbers": pax(mtime=str(2**80)),
    "an infinite time": pax(mtime="inf"),
    "a time that is no number": pax(mtime="nan"),
    "a time of a folder": header("d", tarfile.DIRTYPE, pax_headers={"mtime": str(2**62)}),
    "a negative size": pax(size="-512"),
    "a size that leads before the beginning": pax(size="-2048"),
    "a size beyond all numbers": pax(size=str(2**80)),
    "names of names without end": nested_long_names(2000),
}


@pytest.mark.parametrize("members", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_a_header_with_a_value_that_no_system_takes_is_refused(
    members: bytes, tmp_path: Path
) -> None:
    error = assert_malformed(members, tmp_path)
    assert len(error.message) < 300


def test_owners_are_not_taken_from_an_archive(tmp_path: Path) -> None:
    member = pax(uid=str(2**62), gid="-1", uname="nobody else", size="0")
    (tmp_path / "some.tar").write_bytes(member + END)
    (tmp_path / "back").mkdir()

    unpack(tmp_path / "some.tar", tmp_path / "back")

    assert (tmp_path / "back" / "member").stat().st_uid == tmp_path.stat().st_uid


@pytest.mark.parametrize(
    ("kind", "mode", "made"),
    [
        (tarfile.REGTYPE, 0o7755, 0o755),
        (tarfile.DIRTYPE, 0o7775, 0o775),
        (tarfile.REGTYPE, 0o000, 0o400),
        (tarfile.DIRTYPE, 0o000, 0o500),
    ],
)
def test_a_mode_gives_no_rights_of_others_and_lets_the_owner_read(
    kind: bytes, mode: int, made: int, tmp_path: Path
) -> None:
    (tmp_path / "some.tar").write_bytes(header(kind=kind, mode=mode) + END)
    (tmp_path / "back").mkdir()

    unpack(tmp_path / "some.tar", tmp_path / "back")

    assert stat.S_IMODE((tmp_path / "back" / "member").stat().st_mode) == made


NUMBERS = st.integers() | st.sampled_from([0, -1, 2**31, 2**32, 2**62, 2**63, 2**64, 2**80])
NAMES = st.text(max_size=20) | st.sampled_from(
    ["", ".", "..", "/", "a", "a/b", "./a", "\0", "n" * 256, "d/" * 600, "n" * 100_000]
)
KINDS = st.sampled_from(
    [bytes([number]) for number in range(ord("0"), ord("9"))]
) | st.sampled_from(
    [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.GNUTYPE_SPARSE, tarfile.XHDTYPE]
)
RECORDS = st.dictionaries(
    st.sampled_from(
        [
            *("path", "linkpath", "size", "mtime", "uid", "gid", "hdrcharset", "GNU.sparse.map"),
            *("GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.realsize", "GNU.sparse.size"),
        ]
    ),
    NAMES | NUMBERS.map(str) | st.floats().map(str),
    max_size=4,
)


MEMBERS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "name": NAMES,
        "kind": KINDS,
        "gnu": st.booleans(),
        "linkname": NAMES,
        "mode": NUMBERS,
        "size": NUMBERS | st.integers(0, 1024),
        "mtime": NUMBERS,
        "pax_headers": RECORDS,
    }
)


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """Return an archive with any values in its headers, and a few bytes changed at random."""
    data = bytearray()
    for member in draw(st.lists(MEMBERS, min_size=1, max_size=4)):
        contents = draw(st.binary(max_size=40))
        with suppress(ValueError, OverflowError):  # there is no way to write some of them
            data += header(**member) + contents + bytes(-len(contents) % BLOCK)
    data += END
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


@settings(max_examples=400, deadline=None)
@given(data=archives())
def test_any_archive_is_unpacked_or_refused_as_malformed(data: bytes) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "some.tar").write_bytes(data)
        (folder / "back").mkdir()
        with suppress(MalformedTrain):
            unpack(folder / "some.tar", folder / "back")
        assert {path.name for path in folder.iterdir()} == {"some.tar", "back"}

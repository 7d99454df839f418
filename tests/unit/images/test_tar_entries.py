"""Headers of a tar: what is read, what is odd, and where reading has to end."""

import tarfile
from collections.abc import Mapping
from typing import Any, Literal

import pytest

from entrypoint.images.tar_entries import BadTar, Entry, entries
from entrypoint.images.window import Window
from tests.archives import (
    END,
    FOLDER,
    GNU,
    HARD_LINK,
    SYMLINK,
    entry,
    header,
    long_name,
    padded,
    pax_header,
    tar,
)


def read(archive: bytes, chunk: int = 512) -> list[Entry]:
    """Return the entries of an archive that arrives in chunks."""
    pieces = (archive[at : at + chunk] for at in range(0, len(archive), chunk))
    return list(entries(Window(iter(pieces))))


def one(*parts: bytes) -> Entry:
    """Return the only entry of an archive."""
    [found] = read(tar(*parts))
    return found


@pytest.mark.parametrize("chunk", [1, 7, 512, 1000, 100_000])
def test_the_size_of_chunks_does_not_matter(chunk: int) -> None:
    found = read(tar(entry("a", b"x" * 1000), entry("b/", kind=FOLDER), entry("c", b"")), chunk)
    assert [(item.name, item.size) for item in found] == [(b"a", 1000), (b"b/", 0), (b"c", 0)]


def test_the_data_of_an_entry_can_be_taken() -> None:
    window = Window(iter([tar(entry("a", b"first"), entry("b", b"second"))]))
    assert [window.take(item.size) for item in entries(window)] == [b"first", b"second"]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["short", "folder/" * 20 + "long", "é", "x" * 90])
def test_names_and_numbers_as_others_write_them(form: Literal[0, 1, 2], name: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = SYMLINK, name[-90:]
    info.uid, info.gid, info.mode = 1000, 2**20, 0o1640
    found = one(info.tobuf(form))
    assert (found.name, found.link) == (name.encode(), name[-90:].encode())
    assert (found.uid, found.gid, found.mode, found.odd) == (1000, 2**20, 0o1640, "")


def test_large_numbers_in_binary_and_in_pax() -> None:
    found = one(header(b"a", kind=FOLDER, at_108=b"\x80" + (2**40).to_bytes(7, "big")))
    assert found.uid == 2**40
    assert one(entry("a", kind=FOLDER, pax={"uid": str(2**40)})).uid == 2**40


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([header(b"a", b"7")], "type"),
        ([header(b"a", b"\0")], "type"),
        ([pax_header({"path": "b"}, b"g")], "type"),
        ([header(b"a", at_500=b"x")], "unused part"),
        ([header(b"a", magic=GNU, at_345=b"etc")], "Go reads differently"),
        ([entry("a", pax={"GNU.sparse.name": "b"})], "GNU.sparse.name"),
        ([entry("a", pax={"path": ""})], "empty"),
        ([entry("a", pax={"path": "a\0b"})], "NUL"),
        ([entry("a", pax={"mtime": "1e9"})], "malformed number"),
        ([entry("a", pax={"uid": "+1"})], "malformed number"),
        ([header(b"a", magic=GNU, at_345=b"1 2")], "Go reads differently"),
        ([long_name(b"b"), entry("a", pax={"path": "c"})], "more than one"),
        ([long_name(b"b"), long_name(b"c"), entry("a")], "more than one"),
    ],
)
def test_what_readers_may_take_differently_is_odd(parts: list[bytes], reason: str) -> None:
    assert reason in one(*parts).odd


LINKS: Mapping[str, Any] = {"kind": HARD_LINK, "size": 512}
PAX = pax_header({"path": "a"})


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (b"", "without the blocks"),
        (entry("a", b"x"), "without the blocks"),
        (header(b"a", size=600), "middle of a file"),
        (bytes(512) + tar(entry("a")), "single block"),
        (tar(entry("a")) + b"x", "behind its end"),
        (tar(entry("a")) + tar(entry("b")), "behind its end"),
        (tar(PAX), "stands at its end"),
        (PAX[:-505], "middle of an extended header"),
        (tar(header(b"a", b"x", size=2**21)), "too large"),
        (tar(header(b"a", b"x", size=5) + padded(b"9 a=b")), "malformed"),
        (tar(header(b"a", b"x", size=12) + padded(b"6 a=b\n6 a=b\n")), "twice"),
        (tar(entry("a", pax={"size": "-1"})), "malformed number"),
        (tar(header(b"a", at_124=b"0000000+012")), "malformed number"),
        (tar(header(b"a", at_124=b"00000000o12")), "malformed number"),
        (tar(header(b"a", at_124=b"00000000_12")), "malformed number"),
        (tar(header(b"a", at_124=b"00000000019")), "malformed number"),
        (tar(header(b"a", at_124=b"\0" + b"0000000012")), "malformed number"),
        (tar(header(b"a", at_124=b"\xff" * 12)), "malformed number"),
        (tar(header(b"a", **LINKS)), "cannot have data"),
        (tar(header(b"a", b"S")), "sparse"),
        (tar(header(b"a", magic=bytes(8))), "no tar"),
        (tar(entry("a").replace(b"a", b"b", 1)), "checksum"),
    ],
)
def test_where_reading_has_to_end(archive: bytes, reason: str) -> None:
    with pytest.raises(BadTar, match=reason):
        read(archive)


@pytest.mark.parametrize("place", [100, 108, 116, 136, 329, 337])
def test_numbers_that_nobody_needs_are_checked_where_entries_are_looked_at(place: int) -> None:
    malformed: Any = {f"at_{place}": b"000\x010"}
    with pytest.raises(BadTar, match="malformed number"):
        _ = one(header(b"a", **malformed)).odd
    with pytest.raises(BadTar, match="malformed number"):
        read(tar(header(b"x", b"L", size=2, **malformed), padded(b"a\0"), entry("b")))


def test_zeros_may_follow_the_end() -> None:
    assert read(END + bytes(20 * 512)) == []

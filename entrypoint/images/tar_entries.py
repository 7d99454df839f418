"""Reads the headers of a tar strictly: its names and sizes are those that every engine reads.

Engines read with Go's archive/tar, which accepts more than others do. What two readers could take
for different things is marked `odd`; where the position of the next header depends on the reader,
reading ends with BadTar. Source: POSIX pax, GNU tar, and Go's archive/tar.
"""

import re
import zlib
from collections.abc import Iterator, Mapping

from entrypoint.images.window import Window

BLOCK = 512
_ZERO = bytes(BLOCK)

REGULAR, HARD_LINK, SYMLINK, DIRECTORY = b"0", b"1", b"2", b"5"
_WITHOUT_DATA = b"123456"
_SPARSE = b"S"

_USTAR = b"ustar\x0000"
_GNU = b"ustar  \x00"
_GNU_TIMES = re.compile(rb"[0-7 \x00]{24}\x00*")
"""Field of GNU tar where ustar has a prefix; Go reads it as a prefix if it holds anything else."""

_PAX_BYTES = 1024 * 1024
"""Maximum size of extended headers and long names, as in Go."""

_PAX_NUMBERS = ("size", "uid", "gid")
_PAX_HARMLESS = {"path", "linkpath", "uname", "gname", "mtime", "atime", "ctime", "comment"}
ATTRIBUTE = "SCHILY.xattr."
"""Prefix of the extended attributes of a file."""


class BadTar(ValueError):
    """The position of the next header is not certain, or the archive is damaged."""


class Entry:
    """One entry of an archive.

    Attributes:
        name: as engines read it, before they clean it.
        kind: the type flag.
        size: of the data behind the header.
        link: the target of a link.
        attributes: names of extended attributes.
        odd: a reason for which readers may disagree about it; empty if there is none.
    """

    __slots__ = ("_header", "_pax", "attributes", "kind", "link", "name", "odd", "size")

    def __init__(self, header: bytes, extended: "_Extended") -> None:
        pax = extended.pax
        self._header, self._pax = header, pax
        self.kind = header[156:157]
        self.size = self._number("size", 124, 136)
        self.odd = extended.odd or _odd(header, self.kind)
        self.name = extended.name or pax.get("path") or self._name()
        self.link = extended.link or pax.get("linkpath") or self._text(157, 257)
        self.attributes = [key.removeprefix(ATTRIBUTE) for key in pax if key.startswith(ATTRIBUTE)]
        if self.size and self.kind in _WITHOUT_DATA:
            raise BadTar("an entry that cannot have data has a size")
        if self.kind == _SPARSE:
            raise BadTar("it holds a sparse file, whose length readers compute differently")

    @property
    def uid(self) -> int:
        """The owner."""
        return self._number("uid", 108, 116)

    @property
    def gid(self) -> int:
        """The group."""
        return self._number("gid", 116, 124)

    @property
    def mode(self) -> int:
        """The permissions with the set-id and sticky bits."""
        return _octal(self._header[100:108]) & 0o7777

    def _number(self, key: str, start: int, end: int) -> int:
        if key in self._pax:
            return _decimal(self._pax[key])
        return _octal(self._header[start:end])

    def _name(self) -> bytes:
        name = self._text(0, 100)
        if self._header[257:265] == _USTAR and self._header[345]:
            return self._text(345, 500) + b"/" + name
        return name

    def _text(self, start: int, end: int) -> bytes:
        text = self._header[start:end].rstrip(b"\x00")
        if b"\x00" in text:
            self.odd = "has a NUL in a name"
        return text


class _Extended:
    """What stands in front of a header: a PAX header, or a long name and a long link of GNU."""

    def __init__(self) -> None:
        self.pax: Mapping[str, bytes] = {}
        self.name = b""
        self.link = b""
        self.odd = ""
        self.seen = b""

    def read(self, kind: bytes, data: bytes) -> None:
        if kind in self.seen or (b"x" in self.seen + kind and self.seen):
            self.odd = "has more than one extended header"
        self.seen += kind
        if kind == b"x":
            self.pax = _pax(data)
            self.odd = self.odd or _odd_pax(self.pax)
            return
        name = data.removesuffix(b"\x00")
        if b"\x00" in name or not name:
            self.odd = "has a NUL in a name, or an empty one"
        if kind == b"L":
            self.name = name
        else:
            self.link = name


def entries(window: Window) -> Iterator[Entry]:
    """Yield the entries up to the end of an archive; the data of each can be taken meanwhile.

    Global PAX headers are entries of their own: engines ignore them.

    Raises:
        BadTar: see there.
    """
    extended = _Extended()
    while (header := _header(window)) is not None:
        kind = header[156:157]
        if kind in (b"x", b"L", b"K"):
            extended.read(kind, _extension(window, header))
            continue
        entry = Entry(header, extended)
        end = window.tell() + _padded(entry.size)
        yield entry
        if not window.skip(end - window.tell()):
            raise BadTar("it ends in the middle of a file")
        extended = _Extended()
    if extended.seen:
        raise BadTar("an extended header stands at its end")
    if any(piece.tobytes().count(0) != len(piece) for piece in window.rest()):
        raise BadTar("something stands behind its end")


def _header(window: Window) -> bytes | None:
    """Return the next header; None at the end, which two blocks of zeros mark."""
    block = window.take(BLOCK)
    if block == _ZERO:
        if window.take(BLOCK) != _ZERO:
            raise BadTar("a single block of zeros stands in it")
        return None
    if len(block) < BLOCK:
        raise BadTar("it ends without the blocks that mark the end")
    if block[257:265] not in (_USTAR, _GNU):
        raise BadTar("it is no tar, or one without the mark of ustar or GNU tar")
    # Adler-32 sums up fast. Its lower half is 1 + the sum modulo 65521; 256 bytes have less.
    total = (zlib.adler32(block[:256]) & 0xFFFF) + (zlib.adler32(block[256:]) & 0xFFFF) - 2
    if total - sum(block[148:156]) + 8 * ord(" ") != _octal(block[148:156]):
        raise BadTar("a header has a wrong checksum")
    return block


def _extension(window: Window, header: bytes) -> bytes:
    size = _octal(header[124:136])
    if size > _PAX_BYTES:
        raise BadTar("an extended header is too large")
    data = window.take(size)
    if len(data) < size or not window.skip(_padded(size) - size):
        raise BadTar("it ends in the middle of an extended header")
    return data


def _odd(header: bytes, kind: bytes) -> str:
    if kind not in b"0123456":
        return "has a type that only some readers know"
    if header[257:265] == _USTAR:
        if any(header[500:]):
            return "has a header with something in its unused part"
    elif not _GNU_TIMES.fullmatch(header, 345):
        return "has a header that Go reads differently from GNU tar"
    return ""


def _pax(data: bytes) -> dict[str, bytes]:
    """Return the records of a PAX header, `LENGTH KEY=VALUE` and a newline each."""
    records: dict[str, bytes] = {}
    at = 0
    while at < len(data):
        digits, blank, _ = data[at : at + 8].partition(b" ")
        end = at + (int(digits) if digits.isdigit() and blank else 0)
        key, equals, value = data[at + len(digits) + 1 : end - 1].partition(b"=")
        if not equals or end > len(data) or data[end - 1 : end] != b"\n":
            raise BadTar("a PAX header is malformed")
        name = key.decode("utf-8", "surrogateescape")
        if name in records:
            raise BadTar("a PAX header holds a record twice")
        records[name] = value
        at = end
    return records


def _odd_pax(pax: Mapping[str, bytes]) -> str:
    for key, value in pax.items():
        if key.startswith(ATTRIBUTE):
            continue
        if key not in _PAX_HARMLESS and key not in _PAX_NUMBERS:
            return f"has a PAX record that only some readers know: {key}"
        if b"\x00" in value or not value:
            return f"has a PAX record that is empty or holds a NUL: {key}"
    return ""


def _octal(field: bytes) -> int:
    """Return a number of a header: octal, or binary if it is too large for that."""
    if field[0] == 0x80:
        number = int.from_bytes(field[1:], "big")
        if number < 2**63:
            return number
    digits = field.strip(b" \x00")
    if not digits:
        return 0
    if digits.isdigit() and not digits.strip(b"01234567"):
        return int(digits, 8)
    raise BadTar("a header has a malformed number")


def _decimal(value: bytes) -> int:
    if len(value) <= 18 and value.isdigit():
        return int(value)
    raise BadTar("a PAX header has a malformed number")


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK

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

_BLANKS = 8 * ord(" ")
"""The share of the checksum's own field in its sum, which counts it as blanks."""

REGULAR, HARD_LINK, SYMLINK, DIRECTORY = b"0", b"1", b"2", b"5"
_WITHOUT_DATA = b"123456"
_SPARSE = b"S"
_EXTENDED = (b"x", b"L", b"K")

_USTAR = b"ustar\x0000"
_GNU = b"ustar  \x00"
_GNU_TIMES = re.compile(rb"(?:[0-7]{11}[ \x00]|\x00{12}){2}\x00*")
"""Field of GNU tar where ustar has a prefix; Go reads it as a prefix if it holds anything else."""

_OTHER_NUMBERS = ((100, 108), (108, 116), (116, 124), (136, 148), (329, 337), (337, 345))
"""Places of the mode, the owner, the group, the time, and the numbers of devices.

If one of them is malformed, Go refuses the archive and Python ends it there.
"""

_BINARY = 0x80

_PAX_BYTES = 1024 * 1024
"""Maximum size of extended headers and long names, as in Go."""

_PAX_NUMBERS = ("size", "uid", "gid")
_PAX_TIMES = ("mtime", "atime", "ctime")
_PAX_TIME = re.compile(rb"-?[0-9]{1,18}(?:\.[0-9]*)?")
_PAX_HARMLESS = {"path", "linkpath", "uname", "gname", "comment", *_PAX_NUMBERS, *_PAX_TIMES}
_ATTRIBUTE = "SCHILY.xattr."
"""Beginning of the records with the extended attributes of a file."""


class BadTar(ValueError):
    """The position of the next header is not certain, or the archive is damaged."""


class Entry:
    """One entry of an archive; most of them are never looked at, so only the name is read at once.

    Attributes:
        name: as engines read it, before they clean it.
        kind: the type flag.
        size: of the data behind the header.

    Raises:
        BadTar: in the constructor and by every property, for malformed numbers.
    """

    __slots__ = ("_extended", "_header", "kind", "name", "size")

    def __init__(self, header: bytes, extended: "_Extended") -> None:
        self._header = header
        self._extended = extended
        self.kind = header[156:157]
        self.name = extended.name or _name(header)
        self.size = self._number("size", 124, 136)
        if self.size and self.kind in _WITHOUT_DATA:
            raise BadTar("an entry that cannot have data has a size")
        if self.kind == _SPARSE:
            raise BadTar("it holds a sparse file, whose length readers compute differently")

    @property
    def link(self) -> bytes:
        """The target of a link."""
        return self._extended.link or _text(self._header[157:257])

    @property
    def attributes(self) -> list[str]:
        """The names of the extended attributes."""
        pax = self._extended.pax
        return [key.removeprefix(_ATTRIBUTE) for key in pax if key.startswith(_ATTRIBUTE)]

    @property
    def odd(self) -> str:
        """A reason for which readers may disagree about the entry; empty if there is none."""
        return self._extended.odd or _odd(self._header)

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
        if key in self._extended.pax:
            return _decimal(self._extended.pax[key])
        return _octal(self._header[start:end])


class _Extended:
    """The extended headers in front of a header: one of PAX, or a long name and link of GNU.

    Attributes:
        name, link: instead of those in the header; empty if there are none.
        pax: the records of the PAX header.
        odd: a reason for which readers may disagree about it.
    """

    def __init__(self) -> None:
        self.name = b""
        self.link = b""
        self.pax: Mapping[str, bytes] = {}
        self.odd = ""
        self._kinds = b""

    def read(self, kind: bytes, data: bytes) -> None:
        """Add one header of the given type."""
        if kind in self._kinds or (self._kinds and b"x" in self._kinds + kind):
            self.odd = "has more than one extended header"
        self._kinds += kind
        if kind == b"x":
            self.pax = _pax(data)
            self.odd = self.odd or _odd_pax(self.pax)
            self.name = self.pax.get("path", b"")
            self.link = self.pax.get("linkpath", b"")
        else:
            text = data.removesuffix(b"\x00")
            if b"\x00" in text:  # Go reads up to there
                self.odd = "has a long name or link that holds a NUL"
            self.name, self.link = (text, self.link) if kind == b"L" else (self.name, text)


_NOTHING = _Extended()


def entries(window: Window) -> Iterator[Entry]:
    """Yield the entries up to the end of an archive; the data of each can be taken meanwhile.

    Global PAX headers are entries of their own: engines ignore them.

    Raises:
        BadTar: see there.
    """
    extended = _NOTHING
    while (header := _header(window)) is not None:
        kind = header[156:157]
        if kind in _EXTENDED:
            extended = _Extended() if extended is _NOTHING else extended
            extended.read(kind, _extension(window, header))
            continue
        entry = Entry(header, extended)
        end = window.tell() + _padded(entry.size)
        yield entry
        if not window.skip_to(end):
            raise BadTar("it ends in the middle of a file")
        extended = _NOTHING
    if extended is not _NOTHING:
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
    checksum = block[148:156]
    if total - sum(checksum) + _BLANKS != _octal(checksum):
        raise BadTar("a header has a wrong checksum")
    return block


def as_text(name: bytes) -> str:
    """Return a name for messages and as a key; different names have different texts."""
    return name.decode("utf-8", "surrogateescape")


def _name(header: bytes) -> bytes:
    name = _text(header[:100])
    if header[345] and header[257:265] == _USTAR:
        return _text(header[345:500]) + b"/" + name
    return name


def _text(field: bytes) -> bytes:
    return field.partition(b"\x00")[0]


def _extension(window: Window, header: bytes) -> bytes:
    _check_numbers(header)
    size = _octal(header[124:136])
    if size > _PAX_BYTES:
        raise BadTar("an extended header is too large")
    data = window.take(_padded(size))
    if len(data) < size:
        raise BadTar("it ends in the middle of an extended header")
    return data[:size]


def _odd(header: bytes) -> str:
    _check_numbers(header)
    if header[156] not in b"0123456":
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
        if key.startswith(_ATTRIBUTE):
            continue
        if key not in _PAX_HARMLESS:
            return f"has a PAX record that only some readers know: {key}"
        if b"\x00" in value or not value:
            return f"has a PAX record that is empty or holds a NUL: {key}"
        if (key in _PAX_TIMES and not _PAX_TIME.fullmatch(value)) or (
            key in _PAX_NUMBERS and not value.isdigit()
        ):
            return f"has a PAX record with a malformed number: {key}"
    return ""


def _octal(field: bytes) -> int:
    """Return a number of a header: octal, or binary if it is too large for that."""
    digits = field.rstrip(b" \x00").lstrip(b" ")  # to Python a leading NUL is the end
    if not digits.strip(b"01234567"):  # `int` accepts signs and underscores too
        return int(digits or b"0", 8)
    if field[0] == _BINARY and field[1] < _BINARY:
        return int.from_bytes(field[1:], "big")
    raise BadTar("a header has a malformed number")


def _check_numbers(header: bytes) -> None:
    for start, end in _OTHER_NUMBERS:
        _octal(header[start:end])


def _decimal(value: bytes) -> int:
    if len(value) <= 18 and value.isdigit():
        return int(value)
    raise BadTar("a PAX header has a malformed number")


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK

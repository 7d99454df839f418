"""Takes out of shared libraries what only debuggers read: a fifth of that of `cryptography`.

`strip.py LIBRARY…` does so in place; base images bring no binutils. What is loaded keeps its bytes
and its addresses: of a file remain the segments that its program headers name (System V ABI,
"Object Files"). The section table goes, and with it the symbols that no loader looks at.
"""

import struct
import sys
from pathlib import Path
from typing import NamedTuple

_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little-endian: x86-64 and arm64
_LOAD = 1  # PT_LOAD

_FILE = struct.Struct("<16s2HI3QI6H")
_SEGMENT = struct.Struct("<2I6Q")


class _File(NamedTuple):
    """The header of a file, Elf64_Ehdr."""

    ident: bytes
    type: int
    machine: int
    version: int
    entry: int
    segments_at: int
    sections_at: int
    flags: int
    size: int
    segment_size: int
    segments: int
    section_size: int
    sections: int
    names_section: int


class _Segment(NamedTuple):
    """A program header, Elf64_Phdr."""

    type: int
    flags: int
    offset: int
    address: int
    physical_address: int
    size: int
    memory: int
    alignment: int


def strip(library: bytes) -> bytes:
    """Return a library with what is loaded only.

    Raises:
        ValueError: this is no library for a little-endian machine with 64 bits.
    """
    if not library.startswith(_MAGIC):
        raise ValueError("not a 64-bit little-endian ELF file")
    file = _File(*_FILE.unpack_from(library))
    headers = library[file.segments_at :][: file.segments * _SEGMENT.size]
    segments = [_Segment(*fields) for fields in _SEGMENT.iter_unpack(headers)]
    places: dict[int, int] = {}
    kept = bytearray()
    for segment in sorted(segments, key=lambda segment: segment.offset):
        if segment.type == _LOAD:
            # Whole pages are mapped, so a segment stays where it was within its page.
            kept += bytes((segment.offset - len(kept)) % segment.alignment)
            places[segment.offset] = len(kept)
            kept += library[segment.offset :][: segment.size]

    def moved(offset: int) -> int:
        holder = max(start for start in places if start <= offset)
        return places[holder] + offset - holder

    segments_at = moved(file.segments_at)
    file = file._replace(segments_at=segments_at, sections_at=0, sections=0, names_section=0)
    _FILE.pack_into(kept, 0, *file)
    for number, segment in enumerate(segments):
        fields = segment._replace(offset=moved(segment.offset))
        _SEGMENT.pack_into(kept, segments_at + number * _SEGMENT.size, *fields)
    return bytes(kept)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_bytes(strip(path.read_bytes()))

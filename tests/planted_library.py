"""A shared library that ends the process by which it is loaded, for any C library."""

import platform
import struct

STATUS = 99
"""The exit status of a process that has loaded the library."""

_MACHINES = {
    # mov edi, STATUS; mov eax, 231 (exit_group); syscall
    "x86_64": (62, b"\xbf" + struct.pack("<I", STATUS) + b"\xb8\xe7\0\0\0\x0f\x05"),
    # mov w0, STATUS; mov x8, 94 (exit_group); svc 0
    "aarch64": (183, struct.pack("<3I", 0x52800000 | STATUS << 5, 0xD2800BC8, 0xD4000001)),
}
"""The number in the header of a file for each kind of processor, and the code."""

_FILE = struct.Struct("<16s2HI3QI6H")
_SEGMENT = struct.Struct("<2I6Q")
_ENTRY = struct.Struct("<2Q")
_LOAD, _DYNAMIC, _STACK = 1, 2, 0x6474E551
_HASH, _STRTAB, _SYMTAB, _STRSZ, _SYMENT, _INIT = 4, 5, 6, 10, 11, 12


def planted_library() -> bytes:
    """Return the file: its initialisation is the code above, and it has no symbols."""
    machine, code = _MACHINES[platform.machine()]
    segments = _FILE.size
    dynamic = segments + 3 * _SEGMENT.size
    symbols = dynamic + 7 * _ENTRY.size
    buckets = symbols + 24  # one symbol, the undefined one
    names = buckets + 16
    start = names + 16
    size = start + len(code)
    entries = {_HASH: buckets, _STRTAB: names, _SYMTAB: symbols, _STRSZ: 1, _SYMENT: 24}
    entries |= {_INIT: start, 0: 0}
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = (ident, 3, machine, 1, 0, segments, 0, 0, _FILE.size, _SEGMENT.size, 3, 0, 0, 0)
    length = 7 * _ENTRY.size
    return b"".join(
        (
            _FILE.pack(*header),
            _SEGMENT.pack(_LOAD, 7, 0, 0, 0, size, size, 0x10000),
            _SEGMENT.pack(_DYNAMIC, 6, dynamic, dynamic, dynamic, length, length, 8),
            _SEGMENT.pack(_STACK, 6, 0, 0, 0, 0, 0, 16),
            *(_ENTRY.pack(*entry) for entry in entries.items()),
            bytes(24),
            struct.pack("<4I", 1, 1, 0, 0),
            bytes(16),
            code,
        )
    )

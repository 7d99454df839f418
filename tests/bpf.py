"""Executes a seccomp filter as the kernel does, for machines that the tests do not run on."""

import struct
from collections.abc import Sequence

ALLOW = 0x7FFF0000
ERRNO = 0x00050000


def verdict(program: bytes, arch: int, number: int, arguments: Sequence[int] | None = None) -> int:
    """Return what a filter answers to a system call.

    Args:
        program: an array of struct sock_filter.
        arch: the AUDIT_ARCH constant of the call.
        number: of the system call.
        arguments: of the system call; without them, a filter that looks at one raises an error.
    """
    data = struct.pack("<IIQ", number, arch, 0)
    if arguments is not None:
        padded = [argument % 2**64 for argument in arguments] + [0] * (6 - len(arguments))
        data += struct.pack("<6Q", *padded)
    instructions = list(struct.iter_unpack("<HBBI", program))
    accumulator = position = 0
    while True:
        code, if_true, if_false, value = instructions[position]
        position += 1
        match code:
            case 0x20:  # BPF_LD | BPF_W | BPF_ABS
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x15:  # BPF_JMP | BPF_JEQ
                position += if_true if accumulator == value else if_false
            case 0x25:  # BPF_JMP | BPF_JGT
                position += if_true if accumulator > value else if_false
            case 0x45:  # BPF_JMP | BPF_JSET
                position += if_true if accumulator & value else if_false
            case 0x06:  # BPF_RET
                return int(value)
            case _:
                raise AssertionError(f"instruction {code:#x} is not known here")

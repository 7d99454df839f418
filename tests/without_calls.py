"""Executes a program for which some system calls fail with EPERM.

python -m tests.without_calls NAME[,NAME ...] PROGRAM [ARGUMENT ...]
"""

import errno
import os
import struct
import sys
from collections.abc import Sequence

from entrypoint.linux.prctl import PR_SET_NO_NEW_PRIVS, prctl
from entrypoint.process import seccomp
from tests.system_calls import FORBIDDEN


def under(*names: str) -> tuple[str, ...]:
    """Return the beginning of a command that may not use these system calls."""
    return (sys.executable, "-m", "tests.without_calls", ",".join(names))


def _filter(names: Sequence[str]) -> bytes:
    machine = ("x86_64", "aarch64").index(os.uname().machine)
    instructions = [(0x20, 0, 0, 0)]  # load the number of the system call
    for name in names:
        instructions += [
            (0x15, 0, 1, FORBIDDEN[name][machine] or 0),
            (0x06, 0, 0, 0x00050000 | errno.EPERM),
        ]
    instructions.append((0x06, 0, 0, 0x7FFF0000))  # allow
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in instructions)


if __name__ == "__main__":
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    seccomp.install(_filter(sys.argv[1].split(",")))
    os.execvp(sys.argv[2], sys.argv[2:])

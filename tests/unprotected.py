"""Executes a program as on a machine without Landlock, with one user for runner and train.

A train of the program then has the runner's uid, without capabilities, and may change everything
that belongs to that user. Used as `under=UNPROTECTED` in `tests.station`, or as a command:
python -m tests.unprotected PROGRAM [ARGUMENT ...].
"""

import errno
import os
import struct
import sys

from entrypoint.linux import capabilities
from entrypoint.linux.capabilities import Capability
from entrypoint.linux.prctl import PR_SET_NO_NEW_PRIVS, prctl
from entrypoint.process import seccomp

UNPROTECTED = (sys.executable, "-m", "tests.unprotected")

WITHOUT_LANDLOCK = b"".join(
    struct.pack("<HBBI", *instruction)
    for instruction in (
        (0x20, 0, 0, 0),  # load the number of the system call
        (0x35, 0, 2, 444),  # landlock_create_ruleset, the first of three
        (0x25, 1, 0, 446),  # landlock_restrict_self, the last
        (0x06, 0, 0, 0x00050000 | errno.ENOSYS),
        (0x06, 0, 0, 0x7FFF0000),  # allow
    )
)
"""A seccomp filter under which the kernel seems to have no Landlock."""


def lose_other_users() -> None:
    """Make this process, and what it executes, unable to become another user."""
    others = capabilities.mask({Capability.SETUID, Capability.SETGID})
    if Capability.SETPCAP in capabilities.held():
        capabilities.drop_bounding(capabilities.read_bounding() & ~others)
    capabilities.set_all(capabilities.read_sets().permitted & ~others)


if __name__ == "__main__":
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    seccomp.install(WITHOUT_LANDLOCK)
    lose_other_users()
    os.environ["PHT_ALLOW_UNPROTECTED_KEY"] = "1"  # counts with --root
    os.execvp(sys.argv[1], sys.argv[1:])

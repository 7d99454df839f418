"""Executes a program that may not send SIGKILL: python -m tests.unable_to_kill PROGRAM [ARGUMENT].

So it is for a runner without the capability KILL if a process of the train has another user.
"""

import errno
import os
import struct
import sys

from entrypoint.linux.prctl import PR_SET_NO_NEW_PRIVS, prctl
from entrypoint.process import seccomp
from tests.system_calls import CONDITIONAL

UNABLE_TO_KILL = (sys.executable, "-m", "tests.unable_to_kill")

KILL = dict(zip(("x86_64", "aarch64"), CONDITIONAL["kill"], strict=True))[os.uname().machine]
SECOND_ARGUMENT = 24  # its offset in struct seccomp_data
SIGKILL = 9

WITHOUT_SIGKILL = b"".join(
    struct.pack("<HBBI", *instruction)
    for instruction in (
        (0x20, 0, 0, 0),  # load the number of the system call
        (0x15, 0, 3, KILL),
        (0x20, 0, 0, SECOND_ARGUMENT),
        (0x15, 0, 1, SIGKILL),
        (0x06, 0, 0, 0x00050000 | errno.EPERM),
        (0x06, 0, 0, 0x7FFF0000),  # allow
    )
)

if __name__ == "__main__":
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    seccomp.install(WITHOUT_SIGKILL)
    os.execvp(sys.argv[1], sys.argv[1:])

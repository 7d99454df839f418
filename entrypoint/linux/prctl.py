"""Calls prctl(2), which the standard library does not offer."""

import ctypes
import os
import signal

from entrypoint.linux.libc import last_error, libc

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38


def prctl(option: int, value: int, second: int = 0) -> int:
    """Set or read an option of this process that takes one value or two.

    Raises:
        OSError: the kernel or a seccomp profile refuses it.
    """
    result = int(libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(second), 0, 0))
    if result < 0:
        raise last_error()
    return result


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent dies; a change of the user undoes that.

    Raises:
        OSError: see `prctl`.
    """
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before
        os.kill(os.getpid(), signal.SIGKILL)

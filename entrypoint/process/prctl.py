"""Calls prctl(2), which the standard library does not offer."""

import ctypes

from entrypoint.linux.libc import last_error, libc

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def prctl(option: int, value: int) -> None:
    """Set an option of this process that takes one value.

    Raises:
        OSError: the kernel or a seccomp profile refuses it.
    """
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise last_error()

"""Calls prctl(2), which the standard library does not offer."""

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

# Loaded at import, because the dynamic loader must not be used between fork and exec.
_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, value: int) -> None:
    """Set an option of this process that takes one value.

    Raises:
        OSError: the kernel or a seccomp profile refuses it.
    """
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

"""What a process asks of the kernel about itself, prctl(2)."""

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

# Loaded here, because the dynamic loader may not be used between fork and exec.
_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, value: int) -> None:
    """Ask for what an option with one value means.

    Raises:
        OSError: the kernel, or a profile of seccomp, refuses it.
    """
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

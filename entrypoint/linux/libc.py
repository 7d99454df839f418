"""The C library, for calls that the standard library does not offer."""

import ctypes
import os

# Loaded at import, because the dynamic loader must not be used between fork and exec.
libc = ctypes.CDLL(None, use_errno=True)


def last_error(path: str | os.PathLike[str] | None = None) -> OSError:
    """Return the error of the last call in this thread that failed, about `path` if given."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), None if path is None else os.fspath(path))

"""Reads small files whose size somebody else decides."""

import errno
import os
from pathlib import Path


class FileTooLarge(OSError):
    """A file is larger than its reader accepts; `strerror` says so in words."""

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__(errno.EFBIG, f"it is larger than {limit} bytes", os.fspath(path))


def read_bounded(path: Path, limit: int) -> bytes:
    """Return the contents of a file of at most `limit` bytes.

    Raises:
        FileTooLarge: it has more.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise FileTooLarge(path, limit)
    return data

"""Large files that pass through the page cache: read piece by piece, written to the disk at once.

What nobody is going to read leaves the cache. Its pages would push out what the train needs, and
new ones cost more than those just given back.
"""

import ctypes
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from entrypoint.limits import PASSING_BYTES, WRITE_BYTES

Piece = bytes | memoryview
"""Some bytes of a file; who makes a memoryview of them says how long it is valid."""


def chunks(file: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield the contents of a file, open without a buffer, in pieces of `size` bytes but the last.

    A network file system may return less than it is asked for.
    """
    while chunk := file.read(size):
        while len(chunk) < size and (more := file.read(size - len(chunk))):
            chunk += more
        yield chunk


def pieces(file: io.FileIO, size: int, room: Callable[[], memoryview]) -> Iterator[memoryview]:
    """Yield the same as `chunks`, each piece where `room` says that it may lie."""
    while True:
        place = room()[:size]
        count = 0
        while count < size and (more := file.readinto(place[count:])):
            count += more
        if not count:
            return
        yield place[:count]


class Behind:
    """Lets go of what has been read of a file, here or in another process, for the last time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._descriptor = file.fileno()
        self._read = self._gone = 0

    def passed(self, length: int) -> None:
        """Say that so many more bytes have been read."""
        self._read += length
        if self._read - self._gone >= PASSING_BYTES:
            _let_go(self._descriptor, self._gone, self._read - self._gone)
            self._gone = self._read


def reserve(file: IO[bytes], size: int) -> None:
    """Have the file system find the place for what is going to be appended, if it can do so.

    At once that takes less than page by page. What does not fit is refused when it is written.

    Args:
        file: where the next bytes go, and nothing is left in a buffer.
        size: about how many bytes come; what is too much stays with the file, but is not in it.
    """
    if sys.platform == "linux":
        start = os.lseek(file.fileno(), 0, os.SEEK_CUR)
        keep_size = 1  # FALLOC_FL_KEEP_SIZE, fallocate(2)
        place = ctypes.c_int64(start), ctypes.c_int64(size)
        ctypes.CDLL(None).fallocate(file.fileno(), keep_size, *place)


def new(path: Path, *, leaves: bool) -> IO[bytes]:
    """Create a file of which the disk begins at once with what is written.

    Before a train is sealed, or waits, everything is flushed; that finds little left to wait for.

    Args:
        leaves: whether nobody is going to read it soon.

    Raises:
        OSError: `path` exists already, or cannot be created.
    """
    return io.BufferedWriter(_NewFile(path, leaves), WRITE_BYTES)


class _NewFile(io.FileIO):
    def __init__(self, path: Path, leaves: bool) -> None:
        super().__init__(path, "xb")
        self._leaves = leaves

    def write(self, data: Any, /) -> int:
        count = super().write(data)
        start = self.tell() - count  # another process may have written before
        _let_go(self.fileno(), start, count)  # begins to write it
        if self._leaves:
            _let_go(self.fileno(), start - PASSING_BYTES, count)  # is written by now
        return count


def _let_go(descriptor: int, start: int, length: int) -> None:
    """Say that pages are not needed, which has the kernel begin to write those that have changed.

    The others leave the cache (posix_fadvise(2), POSIX_FADV_DONTNEED; Linux, mm/fadvise.c).
    """
    if sys.platform == "linux" and start >= 0:
        with suppress(OSError):  # some sandboxes know no advice; the file is written all the same
            os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)

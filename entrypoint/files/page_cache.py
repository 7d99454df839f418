"""Reads and writes large files piece by piece and drops their pages from the page cache.

Pages that nobody reads again would push out those that the train needs, and allocating a page costs
more than reusing one just freed. The disk starts on a new file while it is being written.
"""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from entrypoint.limits import CACHED_TAIL_BYTES, WRITE_BYTES

Piece = bytes | memoryview
"""Some bytes of a file; whoever makes a memoryview of them documents how long it is valid."""


def chunks(file: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield the contents of an unbuffered file in pieces of `size` bytes; the last may be shorter.

    A network file system may return less than it is asked for.
    """
    while chunk := file.read(size):
        while len(chunk) < size and (more := file.read(size - len(chunk))):
            chunk += more
        yield chunk


def pieces(file: io.FileIO, size: int, room: Callable[[], memoryview]) -> Iterator[memoryview]:
    """Like `chunks`, but reads each piece into the memory that `room` returns for it."""
    while True:
        place = room()[:size]
        count = 0
        while count < size and (more := file.readinto(place[count:])):
            count += more
        if not count:
            return
        yield place[:count]


class DropBehind:
    """Drops pages of a file from the page cache after their last read.

    The reader may be another process: only the number of bytes is needed.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._descriptor = file.fileno()
        self._read = self._dropped = 0

    def passed(self, length: int) -> None:
        """Count `length` more bytes as read."""
        self._read += length
        if self._read - self._dropped >= CACHED_TAIL_BYTES:
            _drop(self._descriptor, self._dropped, self._read - self._dropped)
            self._dropped = self._read


def new(path: Path, *, cached: bool) -> IO[bytes]:
    """Create a file that the disk starts on while it is being written.

    Everything is flushed before a train is sealed or started; then little is left to wait for.

    Args:
        path: of the file.
        cached: whether its pages stay in the page cache, for somebody who reads them soon.

    Raises:
        OSError: `path` exists already, or cannot be created.
    """
    return io.BufferedWriter(_NewFile(path, cached), WRITE_BYTES)


class _NewFile(io.FileIO):
    def __init__(self, path: Path, cached: bool) -> None:
        super().__init__(path, "xb")
        self._cached = cached

    def write(self, data: Any, /) -> int:
        count = super().write(data)
        start = self.tell() - count  # another process may have written before
        _drop(self.fileno(), start, count)  # not written yet, so this only starts the disk
        if not self._cached:
            _drop(self.fileno(), start - CACHED_TAIL_BYTES, count)  # written by now
        return count


def _drop(descriptor: int, start: int, length: int) -> None:
    """Advise the kernel to drop pages: clean ones go, dirty ones start to be written.

    posix_fadvise(2), POSIX_FADV_DONTNEED; Linux, mm/fadvise.c.
    """
    if sys.platform == "linux" and start >= 0:
        with suppress(OSError):  # some sandboxes do not have it, and it is only advice
            os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)

"""Large files that pass through the page cache and leave it.

What is read is about to be replaced, and what is written is for the next station. Their pages would
push out what the train needs, and new ones cost more than those just given back.
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from entrypoint.limits import PASSING_BYTES, WRITE_BYTES


def chunks(file: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield the contents of a file, open without a buffer, in pieces of `size` bytes."""
    position = gone = 0
    while chunk := file.read(size):
        yield chunk
        position += len(chunk)
        if position - gone >= PASSING_BYTES:
            _let_go(file.fileno(), gone, position - gone)
            gone = position


def new(path: Path) -> IO[bytes]:
    """Create a file that will have to be durable: the disk begins at once with what is written.

    A flush at the end finds little left to wait for.

    Raises:
        OSError: `path` exists already, or cannot be created.
    """
    return io.BufferedWriter(_NewFile(path, "xb"), WRITE_BYTES)


class _NewFile(io.FileIO):
    _position = 0

    def write(self, data: Any, /) -> int:
        count = super().write(data)
        start, self._position = self._position, self._position + count
        _let_go(self.fileno(), start, count)  # begins to write it
        _let_go(self.fileno(), start - PASSING_BYTES, count)  # is written by now, and leaves
        return count


def _let_go(descriptor: int, start: int, length: int) -> None:
    """Say that pages are not needed, which has the kernel begin to write those that have changed.

    The others leave the cache (posix_fadvise(2), POSIX_FADV_DONTNEED; Linux, mm/fadvise.c).
    """
    if sys.platform == "linux" and start >= 0:
        with suppress(OSError):  # some sandboxes know no advice; the file is written all the same
            os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)

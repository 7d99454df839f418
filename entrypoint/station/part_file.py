"""The `.part` file of an export, which gets the output's name once it is complete."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from entrypoint.errors import StorageError


def part_of(output: Path) -> Path:
    """Return the name of the file while it is written, which is reserved for this program."""
    return output.with_name(output.name + ".part")


@contextmanager
def locked_part(output: Path) -> Iterator[IO[bytes]]:
    """Yield the new, locked file that is to become `output`; its `.part` name is removed after.

    The lock tells the file of a live export from one that a killed export has left. Only the holder
    of the lock on the file that has the name may remove the name.

    Raises:
        StorageError: another export is writing it, or the name belongs to another user's file.
    """
    part = part_of(output)
    _remove_left_over(part, output)
    try:
        file = part.open("xb")
    except FileExistsError:
        raise _busy(output) from None
    with file:
        _lock(file.fileno(), part, output)
        try:
            yield file
        finally:
            if _has_name(file.fileno(), part):
                part.unlink()


def give_name(file: IO[bytes], output: Path) -> None:
    """Give the complete file its name, unless another file has that by now.

    Raises:
        StorageError: another file has the name, or the `.part` name.
    """
    part = part_of(output)
    if not _has_name(file.fileno(), part):  # removed by hand, or by an older version
        raise _busy(output)
    try:
        output.hardlink_to(part)
    except FileExistsError:
        raise _exists(output) from None
    except OSError:  # as on a share without hard links
        refuse_existing(output)
        part.rename(output)


def refuse_existing(path: Path) -> None:
    """Raise StorageError if a path exists, be it a link to nowhere."""
    if os.path.lexists(path):
        raise _exists(path)


def _remove_left_over(part: Path, output: Path) -> None:
    """Remove the file that a killed export has left; other hard links to it stay unchanged."""
    try:
        # Writable, since a lock on a network share needs that; non-blocking, as it may be a FIFO.
        left_over = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except PermissionError:
        raise _exists(part) from None
    try:
        _lock(left_over, part, output)
        part.unlink()
    finally:
        os.close(left_over)


def _lock(file: int, part: Path, output: Path) -> None:
    """Lock an open file that is named `part`, unless another export has locked or removed it.

    On a share without locks the loser of two exports notices only when it names the file.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(output) from None
    except OSError:
        pass
    if not _has_name(file, part):
        raise _busy(output)


def _has_name(file: int, part: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), part.lstat())
    except FileNotFoundError:
        return False


def _exists(path: Path) -> StorageError:
    return StorageError(
        "output-exists",
        f"{path} exists already",
        hint="remove it or give another name; nothing is overwritten",
    )


def _busy(output: Path) -> StorageError:
    return StorageError(
        "output-busy",
        f"another export is writing {output}",
        hint="wait until it has ended, and give each train a file of its own",
        retry=True,
    )

"""One file system as a whole: what is left on it, and making it durable."""

import ctypes
import errno
import os
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable.

    Raises:
        OSError: `folder` cannot be opened, or something could not be written.
    """
    try:
        _fsync(folder, os.O_DIRECTORY)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        syncfs(folder)  # some file systems cannot flush one folder


def syncfs(folder: Path) -> None:
    """Make everything written so far to the file system that holds `folder` durable (syncfs(2)).

    Raises:
        OSError: `folder` cannot be opened, or something could not be written.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(handle) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), os.fspath(folder))
    finally:
        os.close(handle)


def _fsync(path: Path, flags: int) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_bytes(folder: Path) -> int:
    """Return how many bytes this process may still write to the file system of `folder`.

    Raises:
        OSError: `folder` is not there.
    """
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize

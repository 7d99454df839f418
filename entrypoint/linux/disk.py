"""One file system as a whole: what is left on it, and making durable what was written to it."""

import ctypes
import errno
import os
import resource
import sys
from pathlib import Path

from entrypoint.files.tree import Kind, walk

_libc = ctypes.CDLL(None, use_errno=True)

_LOST = {errno.EIO, errno.ENOSPC, errno.EDQUOT}
"""How the kernel says that something could not be written."""


def flush(*folders: Path) -> None:
    """Make everything in folders of one file system durable.

    At once, by syncfs(2). That also reports what could not be written of anybody's files, those of
    another container on the same disk too. Then fsync(2) is asked about each of ours: it reports
    only what was lost of this file.

    Raises:
        OSError: a folder cannot be read, or something in it could not be written.
    """
    if not _sync_all(folders[0]):
        for folder in folders:
            _flush_each(folder)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable.

    Some file systems cannot flush one folder; their syncfs(2) may report what others have lost.

    Raises:
        OSError: `folder` cannot be opened, or something could not be written.
    """
    try:
        _fsync(folder, os.O_DIRECTORY)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        _sync_all(folder)


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


def _sync_all(folder: Path) -> bool:
    """Call `syncfs`; return False if something could not be written, be it of others."""
    try:
        syncfs(folder)
    except OSError as error:
        if error.errno not in _LOST:
            raise
        return False
    return True


def _flush_each(folder: Path) -> None:
    for entry in walk(folder):
        if entry.kind is Kind.FILE:
            _fsync(folder / entry.path, os.O_NOFOLLOW)
        elif entry.kind is Kind.DIRECTORY:
            flush_folder(folder / entry.path)
    flush_folder(folder)


def _fsync(path: Path, flags: int) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_bytes(folder: Path) -> int:
    """Return how many bytes this process may still write to the file system of `folder`.

    One that has no bounds of its own, such as ramfs, names no blocks at all.

    Raises:
        OSError: `folder` is not there.
    """
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize if facts.f_blocks else sys.maxsize


def total_bytes(folder: Path) -> int:
    """Return how many bytes the file system of `folder` can hold.

    Raises:
        OSError: `folder` is not there.
    """
    facts = os.statvfs(folder)
    return facts.f_blocks * facts.f_frsize if facts.f_blocks else sys.maxsize


def free_files(folder: Path) -> int:
    """Return how many files this process may still make on the file system of `folder`.

    Many file systems do not count them.

    Raises:
        OSError: `folder` is not there.
    """
    facts = os.statvfs(folder)
    return facts.f_favail if facts.f_files else sys.maxsize


def longest_file() -> int:
    """Return how many bytes this process may write to one file (`ulimit -f`)."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit

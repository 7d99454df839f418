"""Durable writing: flushes files, folders and trees, and replaces files atomically."""

import errno
import os
from pathlib import Path
from typing import IO

from entrypoint.files.attributes import Attributes, set_attributes
from entrypoint.files.tree import Kind, walk
from entrypoint.linux.libc import last_error, libc
from entrypoint.linux.remove import is_folder, remove

_LOST = {errno.EIO, errno.ENOSPC, errno.EDQUOT}
"""How the kernel reports data that could not be written."""


def replace(path: Path, data: bytes, attributes: Attributes) -> None:
    """Give `path` new contents in one step, durably.

    Raises:
        OSError: something could not be written; `path` has its old contents or the new ones.
    """
    put(path, data, attributes)
    flush_folder(path.parent)


def put(path: Path, data: bytes, attributes: Attributes) -> None:
    """Give `path` new contents in one step, which is durable once its folder is flushed.

    Whatever has the name of `path` or of its temporary file is replaced, a folder too; a link is
    not written through.

    Raises:
        OSError: something could not be written; `path` is as it was, unless it was a folder.
    """
    temporary = temporary_file(path)
    remove(temporary)
    if is_folder(path):
        remove(path)
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()  # before the file, and its share of a quota, belongs to somebody else
            set_attributes(file.fileno(), attributes)
            flush_file(file)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def reserve(path: Path, size: int) -> None:
    """Occupy the space in which `path` can get `size` bytes of new contents later."""
    temporary = temporary_file(path)
    remove(temporary)
    temporary.write_bytes(os.urandom(size))  # zeros can be stored without taking up space


def temporary_file(path: Path) -> Path:
    """Return the sibling in which new contents of `path` are written; a kill may leave it."""
    return path.with_name(path.name + ".pht")


def flush_file(file: IO[bytes]) -> None:
    """Make the contents of an open file durable; raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable.

    Some file systems cannot flush one folder; syncfs(2) is asked instead, which may report what
    others have lost.

    Raises:
        OSError: `folder` cannot be opened, or something could not be written.
    """
    try:
        _fsync(folder, os.O_DIRECTORY)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        _syncs_all(folder)


def flush_trees(*folders: Path) -> None:
    """Make everything in folders of one file system durable.

    One syncfs(2) does it. That also reports data of others that could not be written, such as
    another container's on the same disk. Then fsync(2) of each of our files decides: it reports
    only what was lost of this file.

    Raises:
        OSError: a folder cannot be read, or something in it could not be written.
    """
    if not _syncs_all(folders[0]):
        for folder in folders:
            flush_each(folder)


def syncfs(folder: Path) -> None:
    """Make everything written so far to the file system that holds `folder` durable (syncfs(2)).

    Raises:
        OSError: `folder` cannot be opened, or something could not be written.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(handle) != 0:
            raise last_error(folder)
    finally:
        os.close(handle)


def _syncs_all(folder: Path) -> bool:
    """Call `syncfs`; return False if data, ours or of others, could not be written."""
    try:
        syncfs(folder)
    except OSError as error:
        if error.errno not in _LOST:
            raise
        return False
    return True


def flush_each(folder: Path) -> None:
    """Make everything in a folder durable by fsync(2) of each file and folder; raises OSError."""
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

"""Removes files that a train has left, however deep, linked or protected they are.

A train can nest folders deeper than a path can name or recursion can follow, put links anywhere and
remove permissions. So one folder is open at a time, and its entries are named relative to it.
"""

import os
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from entrypoint.files.attributes import allow_changes

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def is_folder(path: Path) -> bool:
    """Return whether `path` is a folder and not a link to one."""
    return not path.is_symlink() and path.is_dir()  # where a link leads may be forbidden to look


def remove(path: Path) -> None:
    """Remove a file, a link (not its target) or a folder with its contents, if it exists.

    Raises:
        OSError: something cannot be removed, such as a mount point.
    """
    if is_folder(path):
        empty(path)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def remove_from(folder: Path, paths: Collection[str]) -> None:
    """Remove paths below a folder, and then the folders around them that became empty.

    Raises:
        OSError: see `remove`.
    """
    for path in paths:
        remove(folder / path)
    parents = {parent for path in paths for parent in PurePosixPath(path).parents}
    for parent in sorted(parents - {PurePosixPath()}, reverse=True):  # the innermost first
        if not any((folder / parent).iterdir()):
            (folder / parent).rmdir()


def empty(folder: Path, *, leave_out: Collection[str] = ()) -> None:
    """Remove everything in a folder but the names `leave_out`.

    Raises:
        OSError: see `remove`.
    """
    allow_changes(folder)
    handle = os.open(folder, _FOLDER)
    way: list[str] = []
    try:
        while True:
            inner = _remove_up_to_folder(handle, () if way else leave_out)
            if inner is None and not way:
                return
            following = os.open(inner or "..", _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = following
            if inner is None:
                os.rmdir(way.pop(), dir_fd=handle)
            else:
                way.append(inner)
    finally:
        os.close(handle)


def _remove_up_to_folder(handle: int, leave_out: Collection[str]) -> str | None:
    """Remove entries of an open folder until one is a folder; return its name, None at the end."""
    with os.scandir(handle) as children:
        for child in children:
            if child.name in leave_out:
                continue
            if child.is_dir(follow_symlinks=False):
                allow_changes(child.name, handle)
                return child.name
            os.unlink(child.name, dir_fd=handle)
    return None

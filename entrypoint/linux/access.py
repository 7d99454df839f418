"""Checks whether the user of this process may read, replace or give away files."""

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from entrypoint.files.tree import Entry, Kind, is_small, walk
from entrypoint.linux.capabilities import Capability, held
from entrypoint.linux.libc import last_error, libc

_FOLDER = os.R_OK | os.W_OK | os.X_OK
_NO_OWNER = 65534  # the owner in stat(2) if the real one has no number here


def may_read(path: Path) -> bool:
    """Return whether this user may read a file, or list and enter a folder; raises OSError."""
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except PermissionError:
        return False
    # Not tried by opening, which could block for ever, as on a FIFO without a writer.
    return _may(path, os.R_OK | os.X_OK if is_folder else os.R_OK)


def may_write(path: Path) -> bool:
    """Return whether this user may read and write a file, or change a folder; raises OSError."""
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except PermissionError:
        return False
    return _may(path, _FOLDER if is_folder else os.R_OK | os.W_OK)


def can_replace(path: Path) -> bool:
    """Return whether this user may put another file in the place of the existing file `path`.

    Raises:
        OSError: the file system gives no answer.
    """
    if _is_guarded(path.parent.stat()) and path.lstat().st_uid != os.geteuid():
        return False
    return _may(path.parent, os.W_OK | os.X_OK)


def first_irreplaceable(tree: Path, leave_out: str) -> Path | None:
    """Return the first path in a tree that this user may not read or replace, or None.

    Links are not checked: replacing one takes rights in its folder only, and a check that does not
    follow them would need faccessat2(2), which some seccomp profiles forbid.

    Args:
        tree: the folder.
        leave_out: a name in it to pass over.

    Raises:
        OSError: the file system gives no answer.
    """
    if not _may(tree, _FOLDER):
        return tree
    guarded = {""} if _is_guarded(tree.stat()) else set()
    for entry in walk(tree, leave_out=leave_out):
        path = f"{tree}/{entry.path}"
        is_asked = entry.kind not in (Kind.SYMLINK, Kind.SPECIAL)
        if is_asked and not _may(path, _needed(entry)):
            return Path(path)
        if os.path.dirname(entry.path) in guarded and entry.stat.st_uid != os.geteuid():
            return Path(path)
        if entry.kind is Kind.DIRECTORY and _is_guarded(entry.stat):
            guarded.add(entry.path)
    return None


def is_unmapped(path: Path) -> bool:
    """Return whether a file on an idmapped mount has an owner that the mount does not map.

    Nobody, not even root, may write to it, remove or replace it there.

    Raises:
        OSError: nothing is there, or the file system gives no answer.
    """
    info = path.lstat()
    if _NO_OWNER not in (info.st_uid, info.st_gid):
        return False
    return stat.S_ISLNK(info.st_mode) or not _may(path, os.W_OK)


def first_unsettable_owner(
    files: Iterable[tuple[str, int, int]], probe: Path
) -> tuple[str, int, int] | None:
    """Return the first file whose owner this process cannot give to a new file, or None.

    Args:
        files: paths with their users and groups.
        probe: a path for a new file on which it is tried; removed afterwards.
    """
    probe.touch()
    own = probe.stat()
    tried = {(own.st_uid, own.st_gid)}
    try:
        for path, uid, gid in files:
            if (uid, gid) not in tried:
                tried.add((uid, gid))
                try:
                    os.chown(probe, uid, gid)
                except OSError:
                    return path, uid, gid
    finally:
        probe.unlink()
    return None


def _is_guarded(folder: os.stat_result) -> bool:
    """Return whether the sticky bit of a folder keeps this user from replacing others' files."""
    is_sticky = bool(folder.st_mode & stat.S_ISVTX)
    return is_sticky and folder.st_uid != os.geteuid() and Capability.FOWNER not in held()


def _needed(entry: Entry) -> int:
    """Return the rights that a visit needs; large files are replaced by a rename."""
    if entry.kind is Kind.DIRECTORY:
        return _FOLDER
    return os.R_OK | os.W_OK if is_small(entry) else os.R_OK


def _may(path: str | Path, mode: int) -> bool:
    """Return whether access(2) grants `mode`.

    `os.access` would hide the error, and a kernel or a seccomp profile that lacks this call is no
    denial.

    Raises:
        OSError: the file system gives no answer.
    """
    if _access(path, mode) == 0:
        return True
    error = last_error(path)
    match error.errno:
        case errno.EACCES | errno.EROFS:
            return False
        case errno.EPERM:  # an immutable file, or a profile that denies the call itself
            return _access("/", os.F_OK) != 0
        case errno.ENOSYS:
            return True
    raise error


def _access(path: str | Path, mode: int) -> int:
    return int(libc.access(os.fsencode(path), mode))

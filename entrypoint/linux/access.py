"""What this process's user may read and replace."""

import ctypes
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from entrypoint.files.tree import Entry, Kind, is_small, walk

_libc = ctypes.CDLL(None, use_errno=True)
_STATUS = Path("/proc/self/status")
_CAP_FOWNER = 1 << 3
_FOLDER = os.R_OK | os.W_OK | os.X_OK
_NO_OWNER = 65534  # what stat(2) says of an owner without a number here


def may_read(path: Path) -> bool:
    """Return whether this user may read a file, or list and enter a folder; raises OSError."""
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except PermissionError:
        return False
    # Asked, not tried: opening could wait for ever, as for the writer of a pipe.
    return _may(path, os.R_OK | os.X_OK if is_folder else os.R_OK)


def can_replace(path: Path) -> bool:
    """Return whether this user may put another file in the place of the existing file `path`.

    Raises:
        OSError: the disk does not tell.
    """
    if _is_guarded(path.parent.stat()) and path.lstat().st_uid != os.geteuid():
        return False
    return _may(path.parent, os.W_OK | os.X_OK)


def irreplaceable(tree: Path, leave_out: str) -> Path | None:
    """Return what in a tree this process's user may not read or replace, or None.

    Links are not asked about: to replace one takes rights in its folder only. Not to follow them
    would take faccessat2(2), which some profiles of seccomp forbid.

    Args:
        tree: the folder.
        leave_out: a name in it that does not count.

    Raises:
        OSError: the disk does not tell.
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
    """Return whether a file on an idmapped mount has an owner whom the mount does not map.

    Nobody may write to it, remove or replace it there, root neither.

    Raises:
        OSError: nothing is there, or the disk does not tell.
    """
    info = path.lstat()
    if _NO_OWNER not in (info.st_uid, info.st_gid):
        return False
    return stat.S_ISLNK(info.st_mode) or not _may(path, os.W_OK)


def not_given(files: Iterable[tuple[Path, int, int]], probe: Path) -> tuple[Path, int, int] | None:
    """Return the first file whose owner this process cannot give to a new file, or None.

    Args:
        files: paths with their users and groups.
        probe: a path where a file is made to try it, and removed.
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
    """Return whether files of others may not be replaced in a folder, as in /tmp (sticky bit)."""
    is_sticky = bool(folder.st_mode & stat.S_ISVTX)
    return is_sticky and folder.st_uid != os.geteuid() and not _overrides_owners()


def _overrides_owners() -> bool:
    """Return whether this process may do what only owners may; root need not have that."""
    facts = dict(line.split(":\t") for line in _STATUS.read_text().splitlines())
    return bool(int(facts["CapEff"], 16) & _CAP_FOWNER)


def _needed(entry: Entry) -> int:
    """Return what a visit does to a file or folder; large files are renamed over."""
    if entry.kind is Kind.DIRECTORY:
        return _FOLDER
    return os.R_OK | os.W_OK if is_small(entry) else os.R_OK


def _may(path: str | Path, mode: int) -> bool:
    """Return whether access(2) allows what `mode` says.

    A kernel or a profile of seccomp that does not have this call has not said no. `os.access` would
    hide why the answer is not yes.

    Raises:
        OSError: the disk does not tell.
    """
    if _access(path, mode) == 0:
        return True
    match number := ctypes.get_errno():
        case errno.EACCES | errno.EROFS:
            return False
        case errno.EPERM:  # of a file that is immutable, unless every question is forbidden
            return _access("/", os.F_OK) != 0
        case errno.ENOSYS:
            return True
    raise OSError(number, os.strerror(number), os.fspath(path))


def _access(path: str | Path, mode: int) -> int:
    return int(_libc.access(os.fsencode(path), mode))

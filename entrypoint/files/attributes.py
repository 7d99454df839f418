"""Sets permissions, owners and times of files, as far as the kernel lets this user.

Permissions and times come before the owner, since they cannot be set on somebody else's file, and
special bits after it, since a change of owner clears them.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

PERMISSIONS = 0o777
"""The bits of a mode that travel with a train."""

SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
"""The bits of a mode that are no permissions: they stay at the station that set them."""

_DENIALS = {errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}
"""How a kernel, a profile of seccomp or a file system denies an owner, a mode or a time; EINVAL is
the answer of a user namespace in which the owner has no number."""


Owner = tuple[int, int]
"""A user and a group."""


class Attributes(NamedTuple):
    """Mode and owner of a file; the mode is `st_mode`, or its permission bits only."""

    mode: int
    uid: int
    gid: int

    @classmethod
    def of(cls, path: Path) -> "Attributes":
        """Return the attributes of a file, or of a link itself."""
        return _attributes(path.lstat())


def _attributes(info: os.stat_result) -> Attributes:
    return Attributes(info.st_mode & PERMISSIONS, info.st_uid, info.st_gid)


@contextmanager
def if_allowed() -> Iterator[None]:
    """Ignore a denied change of owner, mode or times: no visit may fail because of one."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DENIALS:
            raise


def set_attributes(descriptor: int, attributes: Attributes) -> None:
    """Give a new, open file permissions and an owner."""
    mode, uid, gid = attributes
    with if_allowed():
        os.fchmod(descriptor, mode)
    with if_allowed():
        os.fchown(descriptor, uid, gid)


def make_like(file: IO[bytes], like: os.stat_result) -> IO[bytes]:
    """Give a new, open file the permissions and the owner of another one; return it."""
    if os.name == "posix":
        set_attributes(file.fileno(), _attributes(like))
    return file


def restore_attributes(path: Path, mode: int, uid: int, gid: int, mtime_ns: int) -> None:
    """Give a restored file, folder or link the mode, the owner and the time that it had.

    Set-id bits too, unless it stays with another owner.
    """
    is_link = stat.S_ISLNK(mode)
    if not is_link:
        with if_allowed():
            path.chmod(mode & PERMISSIONS)
        with if_allowed():
            os.utime(path, ns=(mtime_ns, mtime_ns))
    with if_allowed():
        os.lchown(path, uid, gid)
        if mode & SPECIAL_BITS and not is_link:
            path.chmod(stat.S_IMODE(mode))


def give(path: str | Path, info: os.stat_result, owner: Owner) -> None:
    """Give a file, a folder or a link itself to an owner, unless it belongs to it already."""
    if (info.st_uid, info.st_gid) != owner:
        with if_allowed():
            os.lchown(path, *owner)


def drop_special_bits(folder: Path) -> None:
    """Leave a folder its permissions only: no set-group-id bit, no sticky bit."""
    mode = folder.stat().st_mode
    if mode & SPECIAL_BITS:
        with if_allowed():
            folder.chmod(mode & PERMISSIONS)


def allow_changes(path: str | Path, handle: int | None = None) -> None:
    """Make this user the owner of a folder or file, with all permissions, as far as allowed.

    A train can have removed its permissions or, as root, given it away. Even root may lack the
    right to change other users' files.
    """
    info = os.stat(path, dir_fd=handle)
    if info.st_uid != os.geteuid():
        with if_allowed():
            os.chown(path, os.geteuid(), -1, dir_fd=handle)
    if info.st_mode & 0o700 != 0o700:
        with if_allowed():
            os.chmod(path, stat.S_IMODE(info.st_mode) | 0o700, dir_fd=handle)

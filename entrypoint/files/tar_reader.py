"""Unpacks untrusted tar archives; nothing is written outside of the folder."""

import errno
import os
import tarfile
from pathlib import Path
from typing import IO

from entrypoint.errors import OPERATOR, MalformedTrain
from entrypoint.files import page_cache
from entrypoint.files.attributes import PERMISSIONS
from entrypoint.limits import CHUNK_BYTES, FOLDER_PATH_BYTES

# Raised by `tarfile` for damaged or hostile headers, which can nest until the stack is exhausted.
_MALFORMED = (
    tarfile.TarError,
    EOFError,
    ValueError,
    OverflowError,
    MemoryError,
    RecursionError,
)

_FOLDER_PATH_BYTES = FOLDER_PATH_BYTES + 16  # an export puts `pht_results/` in front

# Caused by a name or the target of a link, not by the disk.
_UNUSABLE_VALUE = {
    errno.ENAMETOOLONG,
    errno.EILSEQ,
    errno.EINVAL,
    errno.EMLINK,
    errno.ENOENT,
}
_LATEST_S = 8**11  # the end of a plain header's range; not every file system takes later times


def unpack(archive: Path, folder: Path) -> None:
    """Fill the empty `folder` from an archive, without its owners and set-id bits.

    Symlinks are made last, so that nothing can be written through one, and the modes of folders are
    set after their contents.

    Raises:
        MalformedTrain: it is not an archive, or an entry lies outside of the folder, is there
            twice, is no file, folder or link, or has an unusable name, target or time.
        OSError: reading or writing failed.
    """
    with archive.open("rb") as file:
        try:
            with _Archive.open(fileobj=file, mode="r:") as tar:
                _unpack(tar, folder)
        except _MALFORMED:
            raise _bad("it is not a complete tar archive") from None
        except (FileExistsError, NotADirectoryError):
            raise _bad("it holds a path twice") from None
        except OSError as error:
            if error.errno not in _UNUSABLE_VALUE:
                raise
            reason = os.strerror(error.errno).lower()
            raise _bad(f"a name or the target of a link cannot be written: {reason}") from None


class _Archive(tarfile.TarFile):
    # A documented attribute that the type stubs leave out.
    members: list[tarfile.TarInfo]


def _unpack(tar: _Archive, folder: Path) -> None:
    late: list[tuple[tarfile.TarInfo, Path]] = []
    for info in tar:
        tar.members.clear()
        path = folder / _inside(info.name)
        if not abs(info.mtime) < _LATEST_S:  # refuses NaN too
            raise _bad("a time in it is out of bounds")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if info.isdir():
            path.mkdir(mode=0o700, exist_ok=True)
        if info.isdir() or info.issym():
            late.append((info, path))
        else:
            _unpack_file(tar, info, folder, path)
            _set_mode_and_time(info, path)
    for info, path in reversed(late):
        if info.issym():
            path.symlink_to(info.linkname)
        _set_mode_and_time(info, path)


def _unpack_file(tar: _Archive, info: tarfile.TarInfo, folder: Path, path: Path) -> None:
    """Make a file, or a hard link to one that comes earlier in the archive."""
    if info.isreg() and not info.issparse() and (source := tar.extractfile(info)):
        _write(source, path)
    elif info.islnk() and (first := folder / _inside(info.linkname)).is_file():
        path.hardlink_to(first)
    else:
        raise _bad(f"{info.name} is neither a file, a folder nor a link")


def _inside(name: str) -> str:
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise _bad(f"{name} points outside of it")
    if len(os.fsencode(os.path.dirname(name))) > _FOLDER_PATH_BYTES:
        raise _bad("it holds a folder that is nested too deep")
    return "/".join(part for part in parts if part not in ("", "."))


def _write(source: IO[bytes], path: Path) -> None:
    with path.open("xb") as target:
        target.writelines(page_cache.chunks(source, CHUNK_BYTES))


def _set_mode_and_time(info: tarfile.TarInfo, path: Path) -> None:
    """Set permissions and time; this user can read everything, and there are no set-id bits."""
    if not info.issym():
        readable = 0o500 if info.isdir() else 0o400
        path.chmod(info.mode & PERMISSIONS | readable)
        os.utime(path, (info.mtime, info.mtime))


def _bad(problem: str) -> MalformedTrain:
    return MalformedTrain(
        "archive-malformed",
        f"the archive cannot be used: {problem}",
        hint="get the archive again; if this repeats, tell who made it",
        by=OPERATOR,
    )

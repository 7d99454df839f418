"""Unpacks untrusted tar archives; nothing is written outside of the folder."""

import errno
import gzip
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from entrypoint.errors import OPERATOR, MalformedTrain
from entrypoint.files import page_cache
from entrypoint.files.attributes import PERMISSIONS
from entrypoint.files.page_cache import Piece
from entrypoint.files.windows_names import WindowsNames
from entrypoint.limits import CHUNK_BYTES, FOLDER_PATH_BYTES

# Raised by `tarfile` for damaged or hostile headers, which can nest until the stack is exhausted.
_MALFORMED = (
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    ValueError,
    OverflowError,
    MemoryError,
    RecursionError,
)

_GZIP = b"\x1f\x8b"
_ON_WINDOWS = os.name == "nt"

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
    """Fill the empty `folder` from an archive, which may be compressed with gzip.

    Raises:
        MalformedTrain: it is not an archive, or as `Unpacker.add`.
        SystemFailure: as `Unpacker.add`.
        OSError: reading or writing failed.
    """
    with open_archive(archive) as tar:
        unpacker = Unpacker(folder)
        for info in members(tar):
            unpacker.add(info, _contents(tar, info) if info.isreg() else ())
        unpacker.finish()


@contextmanager
def open_archive(archive: Path) -> Iterator["Archive"]:
    """Yield an archive, which may be compressed with gzip.

    Raises:
        MalformedTrain: it is not one; also while it is read.
    """
    with archive.open("rb") as file:
        is_compressed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        try:
            with Archive.open(fileobj=file, mode="r:gz" if is_compressed else "r:") as tar:
                yield tar
        except _MALFORMED:
            raise _bad("it is not a complete tar archive") from None
        except OSError as error:
            if error.errno != errno.EINVAL:  # of a negative position, after a negative size
                raise
            raise _bad("it is not a complete tar archive") from None


class Archive(tarfile.TarFile):
    """An archive whose members can be forgotten."""

    # A documented attribute that the type stubs leave out.
    members: list[tarfile.TarInfo]


def members(tar: Archive) -> Iterator[tarfile.TarInfo]:
    """Yield the members of an archive in constant memory."""
    for info in tar:
        tar.members.clear()
        yield info


def _contents(tar: Archive, info: tarfile.TarInfo) -> Iterator[bytes]:
    source = tar.extractfile(info)
    return page_cache.chunks(source, CHUNK_BYTES) if source else iter(())


class Unpacker:
    """Fills an empty folder with the members of an archive, without owners and set-id bits.

    Symlinks are made last, so that nothing can be written through one, and the modes of folders are
    set after their contents.

    Args:
        folder: where to write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._late: list[tuple[tarfile.TarInfo, Path]] = []
        self._windows_names = WindowsNames() if _ON_WINDOWS else None

    def add(self, info: tarfile.TarInfo, contents: Iterable[Piece]) -> None:
        """Write a file, make a folder or a hard link, or note a symlink.

        Args:
            info: the header.
            contents: of a file.

        Raises:
            MalformedTrain: it lies outside of the folder, is there twice, is no file, folder or
                link, or has an unusable name, target or time.
            SystemFailure: a disk of Windows cannot hold its name.
            OSError: writing failed.
        """
        name = _inside(info.name)
        if self._windows_names:
            self._windows_names.check(name)
        path = self._folder / name
        if not abs(info.mtime) < _LATEST_S:  # refuses NaN too
            raise _bad("a time in it is out of bounds")
        with _names_refused():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if info.isdir():
                path.mkdir(mode=0o700, exist_ok=True)
            if info.isdir() or info.issym():
                self._late.append((info, path))
            else:
                self._add_file(info, path, contents)
                _set_mode_and_time(info, path)

    def finish(self) -> None:
        """Make the symlinks, and set the modes of folders.

        Raises:
            MalformedTrain, OSError: as `add`.
        """
        with _names_refused():
            for info, path in reversed(self._late):
                if info.issym():
                    path.symlink_to(info.linkname)
                _set_mode_and_time(info, path)

    def _add_file(self, info: tarfile.TarInfo, path: Path, contents: Iterable[Piece]) -> None:
        """Make a file, or a hard link to one that comes earlier in the archive."""
        if info.isreg() and not info.issparse():
            with path.open("xb") as target:
                target.writelines(contents)
        elif info.islnk() and (first := self._folder / _inside(info.linkname)).is_file():
            path.hardlink_to(first)
        else:
            raise _bad(f"{info.name} is neither a file, a folder nor a link")


@contextmanager
def _names_refused() -> Iterator[None]:
    """Refuse an archive for what the block cannot write because of a name or a target."""
    try:
        yield
    except (FileExistsError, NotADirectoryError):
        raise _bad("it holds a path twice") from None
    except OSError as error:
        if error.errno not in _UNUSABLE_VALUE:
            raise
        reason = os.strerror(error.errno).lower()
        raise _bad(f"a name or the target of a link cannot be written: {reason}") from None


def _inside(name: str) -> str:
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise _bad(f"{name} points outside of it")
    if len(os.fsencode(os.path.dirname(name))) > _FOLDER_PATH_BYTES:
        raise _bad("it holds a folder that is nested too deep")
    return "/".join(part for part in parts if part not in ("", "."))


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

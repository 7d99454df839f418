"""Tar archives of a train's files: written in archive order, restored without any escape."""

import errno
import os
import stat
import tarfile
from pathlib import Path
from typing import IO

from entrypoint import passing
from entrypoint.crypto.mac import OneTimeMac
from entrypoint.errors import MalformedTrain
from entrypoint.limits import CHUNK_BYTES, FOLDER_PATH_BYTES
from entrypoint.passing import Piece
from entrypoint.tree import Entry, Kind, describe_special

_TYPES = {
    Kind.DIRECTORY: tarfile.DIRTYPE,
    Kind.FILE: tarfile.REGTYPE,
    Kind.HARD_LINK: tarfile.LNKTYPE,
    Kind.SYMLINK: tarfile.SYMTYPE,
}

_FOLDER_PATH_BYTES = FOLDER_PATH_BYTES + 16  # an export puts `pht_results/` in front


class Writer:
    """Writes an archive to a file or a stream, and remembers none of its members.

    `tarfile.TarFile` keeps a list of them, copies every header and reads contents by itself; here
    contents are handed in chunk by chunk, as they pass.

    Attributes:
        file: what it writes to.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self._missing = 0

    def add(self, info: tarfile.TarInfo) -> None:
        """Begin a member; the contents of a file follow with `write`, up to its size."""
        self._missing = info.size
        self._append(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def write(self, data: bytes) -> None:
        """Append to the contents of the member."""
        self._missing -= len(data)
        self._append(data)

    def add_file(self, info: tarfile.TarInfo, source: IO[bytes] | bytes) -> None:
        """Append a file whose contents are at hand, or are read from an open file."""
        self.add(info)
        if isinstance(source, bytes):
            self.write(source)
        else:
            for chunk in passing.chunks(source, CHUNK_BYTES):
                self.write(chunk)
        self.end_file(info)

    def end_file(self, info: tarfile.TarInfo) -> None:
        """End the contents of a member that is a file.

        Raises:
            OSError: they were not as long as the header says.
        """
        if self._missing:
            raise OSError(errno.EIO, "size changed while it was read", info.name)
        self._append(bytes(-info.size % tarfile.BLOCKSIZE))

    def close(self) -> None:
        """Write the end of the archive; the file stays open."""
        self._append(bytes(2 * tarfile.BLOCKSIZE))

    def _append(self, data: bytes) -> None:
        self.file.write(data)


class KeptWriter(Writer):
    """Writes an archive to go back to, and authenticates it: a train can write where we can.

    Args:
        file: a new one.
        key: 32 bytes that only this station knows.
    """

    def __init__(self, file: IO[bytes], key: bytes) -> None:
        super().__init__(file)
        self._mac = OneTimeMac(key)

    def account(self, data: Piece) -> None:
        """Append to the contents of the member what is written to the file beside this writer."""
        self._missing -= len(data)
        self._mac.update(data)

    def tag(self) -> bytes:
        """Return what `WorkFolder.is_kept` takes, once the archive is closed."""
        return self._mac.finalize()

    def _append(self, data: bytes) -> None:
        self._mac.update(data)
        super()._append(data)


def member(entry: Entry, name: str) -> tarfile.TarInfo:
    """Return the header of an entry, its owner, mode and time as they are.

    Raises:
        MalformedTrain: the entry is a device, FIFO or socket, or a folder too deep in others.
    """
    if entry.kind not in _TYPES:
        raise MalformedTrain(
            "special-file",
            f"{name} is {describe_special(entry)}",
            hint="a train carries files, folders and links only; remove it",
        )
    info = tarfile.TarInfo(name)
    info.type = _TYPES[entry.kind]
    info.mode = stat.S_IMODE(entry.stat.st_mode)
    info.uid, info.gid = entry.stat.st_uid, entry.stat.st_gid
    info.mtime = int(entry.stat.st_mtime)
    info.size = entry.stat.st_size if entry.kind is Kind.FILE else 0
    info.linkname = entry.link
    return info


def restore(archive: Path, folder: Path, *, owners: bool) -> bool:
    """Fill the empty `folder` from an archive; return whether it describes the folder itself.

    Symlinks are made last, so that nothing can be written through one, and the modes of folders
    after their contents.

    Args:
        owners: whether owners are restored too, for which one has to be root.

    Raises:
        MalformedTrain: not an archive, or an entry that would leave the folder, exists twice, or
            is neither file, folder nor link.
    """
    try:
        with _Archive.open(archive, "r:") as tar:
            return _restore(tar, folder, owners)
    except (tarfile.TarError, EOFError, ValueError, OverflowError, MemoryError):
        raise _bad("it is not a complete tar archive") from None
    except (FileExistsError, NotADirectoryError):
        raise _bad("it holds a path twice") from None


class _Archive(tarfile.TarFile):
    # A documented attribute that the type stubs leave out.
    members: list[tarfile.TarInfo]


def _restore(tar: _Archive, folder: Path, owners: bool) -> bool:
    late: list[tuple[tarfile.TarInfo, Path]] = []
    described = False
    for info in tar:
        tar.members.clear()
        path = folder / _inside(info.name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if info.isdir():
            described = described or path == folder
            path.mkdir(mode=0o700, exist_ok=True)
        if info.isdir() or info.issym():
            late.append((info, path))
        else:
            _restore_file(tar, info, folder, path)
            _set_attributes(info, path, owners)
    for info, path in reversed(late):
        if info.issym():
            path.symlink_to(info.linkname)
        _set_attributes(info, path, owners)
    return described


def _restore_file(tar: _Archive, info: tarfile.TarInfo, folder: Path, path: Path) -> None:
    """Make a file, or a further name of one that stands earlier in the archive."""
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
        raise _bad("it holds a folder that is too deep in others")
    return "/".join(part for part in parts if part not in ("", "."))


def _write(source: IO[bytes], path: Path) -> None:
    with path.open("xb") as target:
        target.writelines(passing.chunks(source, CHUNK_BYTES))


def _set_attributes(info: tarfile.TarInfo, path: Path, owners: bool) -> None:
    if owners:
        os.chown(path, info.uid, info.gid, follow_symlinks=False)
    if not info.issym():
        path.chmod(stat.S_IMODE(info.mode))  # after chown, which clears set-id bits
        os.utime(path, (info.mtime, info.mtime))


def _bad(problem: str) -> MalformedTrain:
    return MalformedTrain(
        "archive-malformed",
        f"the archive cannot be used: {problem}",
        hint="get the archive again; if this repeats, tell who made it",
    )

"""Writes tar archives, entry by entry (docs/protocol.md, "Export")."""

import errno
import stat
import tarfile
from typing import IO

from entrypoint.errors import MalformedTrain
from entrypoint.files import page_cache
from entrypoint.files.tree import Entry, Kind, describe_special
from entrypoint.limits import CHUNK_BYTES

_TYPES = {
    Kind.DIRECTORY: tarfile.DIRTYPE,
    Kind.FILE: tarfile.REGTYPE,
    Kind.HARD_LINK: tarfile.LNKTYPE,
    Kind.SYMLINK: tarfile.SYMTYPE,
}


class TarWriter:
    """Writes an archive to a file or a stream, in constant memory.

    `tarfile.TarFile` keeps a list of all members.

    Args:
        file: the file or stream, which stays open.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, info: tarfile.TarInfo) -> None:
        """Append a member without contents."""
        self._file.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def add_file(self, info: tarfile.TarInfo, source: IO[bytes]) -> None:
        """Append a file whose contents are read from an open one.

        Raises:
            OSError: the contents are not as long as the header says.
        """
        self.add(info)
        missing = info.size
        for chunk in page_cache.chunks(source, CHUNK_BYTES):
            missing -= len(chunk)
            self._file.write(chunk)
        if missing:
            raise OSError(errno.EIO, "size changed while it was read", info.name)
        self._file.write(bytes(-info.size % tarfile.BLOCKSIZE))

    def close(self) -> None:
        """Write the end of the archive."""
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))


def member(entry: Entry, name: str) -> tarfile.TarInfo:
    """Return the header of an entry, with its owner, mode and time.

    Raises:
        MalformedTrain: the entry is a device, FIFO or socket, or a folder nested too deep.
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

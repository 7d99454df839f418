"""Backup of a tree that a visit opens, from which the visit can go back.

A backup is one file with every entry of the tree: a line of JSON and, for a file, its contents. It
begins with the tree's own folder, or is empty if there was none. The journal records its MAC;
nothing is restored before that is verified.
"""

import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from entrypoint.crypto.mac import OneTimeMac
from entrypoint.files.attributes import restore_attributes
from entrypoint.files.page_cache import Piece
from entrypoint.files.tree import Entry, Kind
from entrypoint.limits import CHUNK_BYTES


class BackupWriter:
    """Writes a backup and computes its MAC, since the train can write to the file too.

    Attributes:
        file: the new file that it writes to.

    Args:
        file: a new file.
        key: 32 bytes that only this station can derive.
    """

    def __init__(self, file: IO[bytes], key: bytes) -> None:
        self.file = file
        self._mac = OneTimeMac(key)
        self._size = 0

    def add(self, entry: Entry, contents: Iterable[bytes] = ()) -> None:
        """Append an entry and, for a file, its contents; raises OSError as `adding` does."""
        with self.adding(entry):
            for piece in contents:
                self.file.write(piece)
                self.account(piece)

    @contextmanager
    def adding(self, entry: Entry) -> Iterator[None]:
        """Append an entry; the block writes its contents to `file` and calls `account`.

        Raises:
            OSError: the contents were not as long as the entry says.
        """
        facts = entry.stat
        size = facts.st_size if entry.kind is Kind.FILE else 0
        attributes = (facts.st_mode, facts.st_uid, facts.st_gid, facts.st_mtime_ns)
        values = (entry.path, entry.kind.value, entry.link, size, *attributes)
        line = os.fsencode(json.dumps(values, ensure_ascii=False) + "\n")
        self.file.write(line)
        self._mac.update(line)
        self._size = 0
        yield
        if self._size != size:
            raise OSError(errno.EIO, "size changed while it was read", entry.path)

    def account(self, piece: Piece) -> None:
        """Include contents in the MAC that this or another process writes to the file."""
        self._size += len(piece)
        self._mac.update(piece)

    def tag(self) -> bytes:
        """Return the MAC of the backup, with its salt."""
        return self._mac.finalize()


def restore(backup: IO[bytes], folder: Path) -> bool:
    """Fill the empty `folder` from an authentic backup.

    Attributes are set last, those of folders after all others: nothing can be made in a folder that
    belongs to somebody else, nor a hard link to such a file. Attributes that this user may not set
    are left as they are.

    Args:
        backup: open at its beginning.
        folder: takes the entries.

    Returns:
        Whether the folder existed when the backup was made.
    """
    for name, kind, link, size, *_ in _entries(backup):
        _make(backup, folder, name, Kind(kind), link, size)
    backup.seek(0)
    folders = []
    for name, kind, _, size, *attributes in _entries(backup):
        backup.seek(size, os.SEEK_CUR)
        if Kind(kind) is Kind.DIRECTORY:
            folders.append((folder / name, attributes))
        else:
            restore_attributes(folder / name, *attributes)
    for path, attributes in reversed(folders):
        restore_attributes(path, *attributes)
    return bool(folders)


def _entries(backup: IO[bytes]) -> Iterator[list[Any]]:
    """Yield the header of each entry; the caller reads or skips the contents after each."""
    while line := backup.readline():
        yield json.loads(os.fsdecode(line))


def _make(backup: IO[bytes], folder: Path, name: str, kind: Kind, link: str, size: int) -> None:
    path = folder / name
    match kind:
        case Kind.DIRECTORY:
            path.mkdir(mode=0o700, exist_ok=True)
        case Kind.FILE:
            _copy(backup, path, size)
        case Kind.HARD_LINK:
            path.hardlink_to(folder / link)
        case Kind.SYMLINK:
            path.symlink_to(link)


def _copy(source: IO[bytes], path: Path, size: int) -> None:
    """Write the next bytes of an open file to a new one."""
    with path.open("xb") as target:
        while size and (piece := source.read(min(size, CHUNK_BYTES))):
            target.write(piece)
            size -= len(piece)

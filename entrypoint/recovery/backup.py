"""Backup of a tree that a visit opens, from which the visit can go back.

A backup is one file with every entry of the tree: a line of JSON and, for a file, its contents. It
begins with the tree's own folder, or is empty if there was none. The journal records its MAC. A
large file is not copied if it can be linked: it gets a second name in a folder beside the backup,
and its line has a MAC of its contents. Nothing is restored before all MACs are verified.
"""

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from entrypoint.crypto.mac import OneTimeMac, is_authentic
from entrypoint.files import page_cache
from entrypoint.files.attributes import restore_attributes
from entrypoint.files.page_cache import Piece
from entrypoint.files.tree import Entry, Kind
from entrypoint.limits import CHUNK_BYTES, SMALL_FILE_BYTES


def is_large(entry: Entry) -> bool:
    """Return whether an entry is a file that is linked rather than copied, where links go."""
    return entry.kind is Kind.FILE and entry.stat.st_size >= SMALL_FILE_BYTES


class _SavedEntry(NamedTuple):
    """The line of an entry.

    Attributes:
        size: of a file, in bytes.
        name: in the folder of linked files; empty if the contents follow the line.
        mac: of the contents of a linked file, hex; else empty.
        attributes: mode, user, group, and time in nanoseconds.
    """

    path: str
    kind: Kind
    link: str
    size: int
    name: str
    mac: str
    attributes: tuple[int, int, int, int]

    @classmethod
    def of(cls, entry: Entry, name: str, mac: str) -> "_SavedEntry":
        facts = entry.stat
        size = facts.st_size if entry.kind is Kind.FILE else 0
        attributes = (facts.st_mode, facts.st_uid, facts.st_gid, facts.st_mtime_ns)
        return cls(entry.path, entry.kind, entry.link, size, name, mac, attributes)

    def encode(self) -> bytes:
        values = (self.path, self.kind.value, *self[2:])
        return os.fsencode(json.dumps(values, ensure_ascii=False) + "\n")

    @classmethod
    def decode(cls, line: bytes) -> "_SavedEntry":
        path, kind, *rest = json.loads(os.fsdecode(line))
        return cls(path, Kind(kind), *rest)


class ContentsWriter:
    """Takes the contents of one file into a backup, as a copy or only as a MAC.

    Attributes:
        copy: where this or another process writes the contents; None if the file is linked.
        size: number of bytes accounted for.
    """

    def __init__(self, copy: IO[bytes] | None, mac: OneTimeMac) -> None:
        self.copy = copy
        self.size = 0
        self._mac = mac

    def account(self, piece: Piece) -> None:
        """Include the next piece in the MAC."""
        self.size += len(piece)
        self._mac.update(piece)


class BackupWriter:
    """Writes a backup and computes its MACs, since the train can write to its files too.

    Args:
        file: a new file.
        key: 32 bytes that only this station can derive.
        linked: an empty folder on the file system of the tree, which takes large files as hard
            links; None if they have to be copied.
    """

    def __init__(self, file: IO[bytes], key: bytes, linked: Path | None) -> None:
        self._file = file
        self._key = key
        self._mac = OneTimeMac(key)
        self._linked = linked
        self._links = 0

    def add(self, entry: Entry, contents: Iterable[bytes] = ()) -> None:
        """Append an entry and, for a file, its contents.

        Raises:
            OSError: the contents were not as long as the entry says.
        """
        self._write_line(entry)
        writer = ContentsWriter(self._file, self._mac)
        for piece in contents:
            self._file.write(piece)
            writer.account(piece)
        _check_size(entry, writer)

    def add_streamed(self, entry: Entry, path: Path) -> AbstractContextManager[ContentsWriter]:
        """Append a file whose contents the block streams; link it if it is large, else copy it.

        Raises:
            OSError: see `add`.
        """
        name = self._link(path) if is_large(entry) else ""
        return self._linking(entry, name) if name else self._copying(entry)

    def tag(self) -> bytes:
        """Return the MAC of the backup, with its salt."""
        return self._mac.finalize()

    @contextmanager
    def _linking(self, entry: Entry, name: str) -> Iterator[ContentsWriter]:
        mac = OneTimeMac(self._key)
        writer = ContentsWriter(None, mac)
        yield writer
        self._write_line(entry, name, mac.finalize().hex())
        _check_size(entry, writer)

    @contextmanager
    def _copying(self, entry: Entry) -> Iterator[ContentsWriter]:
        self._write_line(entry)
        self._file.flush()  # another process writes what follows
        writer = ContentsWriter(self._file, self._mac)
        yield writer
        _check_size(entry, writer)

    def _link(self, path: Path) -> str:
        """Link a file under the next number and return that; return "" if it has to be copied."""
        if self._linked is None:
            return ""
        name = str(self._links)
        try:
            os.link(path, self._linked / name, follow_symlinks=False)
        except OSError:  # not on this file system
            return ""
        self._links += 1
        return name

    def _write_line(self, entry: Entry, name: str = "", mac: str = "") -> None:
        line = _SavedEntry.of(entry, name, mac).encode()
        self._file.write(line)
        self._mac.update(line)


def _check_size(entry: Entry, writer: ContentsWriter) -> None:
    if writer.size != (entry.stat.st_size if entry.kind is Kind.FILE else 0):
        raise OSError(errno.EIO, "size changed while it was read", entry.path)


class Backup:
    """A complete backup, open.

    Only this open file and folder may be restored: emptying the tree can change where their paths
    lead. No process of the train is left meanwhile.

    Args:
        file: its path.
        linked: the folder of linked files.

    Raises:
        OSError: one of them cannot be opened.
    """

    def __init__(self, file: Path, linked: Path) -> None:
        with ExitStack() as stack:
            self._file = stack.enter_context(file.open("rb"))
            self._linked = os.open(linked, os.O_RDONLY | os.O_DIRECTORY)
            stack.pop_all()

    def close(self) -> None:
        """Close its files."""
        self._file.close()
        os.close(self._linked)

    def is_authentic(self, tag: bytes, key: bytes) -> bool:
        """Return whether `tag` is the MAC of the backup under this key, and all linked files fit.

        Raises:
            OSError: it cannot be read.
        """
        self._file.seek(0)
        if not is_authentic(page_cache.chunks(self._file, CHUNK_BYTES), tag, key):
            return False
        linked = [entry for entry in self._entries() if entry.name]
        # What the train has put beside them would stay for a while when the old state is back.
        return sorted(os.listdir(self._linked)) == sorted(entry.name for entry in linked) and all(
            self._is_unchanged(entry, key) for entry in linked
        )

    def _is_unchanged(self, entry: _SavedEntry, key: bytes) -> bool:
        """Return whether a linked file, which is there, is a file with its old contents."""
        facts = os.stat(entry.name, dir_fd=self._linked, follow_symlinks=False)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size != entry.size:
            return False  # to open a FIFO would not end, nor would reading a device
        with self._open_linked(entry) as file:
            pieces = page_cache.chunks(file, CHUNK_BYTES)
            return is_authentic(pieces, bytes.fromhex(entry.mac), key)

    def _open_linked(self, entry: _SavedEntry) -> IO[bytes]:
        handle = os.open(entry.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._linked)
        return open(handle, "rb", buffering=0)

    def restore(self, folder: Path) -> bool:
        """Fill the empty `folder` from this backup, which is authentic.

        Attributes are set last, those of folders after all others: nothing can be made in a folder
        that belongs to somebody else, nor a hard link to such a file. Attributes that this user may
        not set are left as they are.

        Returns:
            Whether the folder existed when the backup was made.
        """
        for entry in self._entries():
            self._make(entry, folder)
        folders = []
        for entry in self._entries():
            path = folder / entry.path
            if entry.kind is Kind.DIRECTORY:
                folders.append((path, entry.attributes))
            else:
                restore_attributes(path, *entry.attributes)
        for path, attributes in reversed(folders):
            restore_attributes(path, *attributes)
        return bool(folders)

    def _entries(self) -> Iterator[_SavedEntry]:
        """Yield all entries; the file is at the contents of each, which may be read."""
        self._file.seek(0)
        while line := self._file.readline():
            entry = _SavedEntry.decode(line)
            end = self._file.tell() + (0 if entry.name else entry.size)
            yield entry
            self._file.seek(end)

    def _make(self, entry: _SavedEntry, folder: Path) -> None:
        path = folder / entry.path
        match entry.kind:
            case Kind.DIRECTORY:
                path.mkdir(mode=0o700, exist_ok=True)
            case Kind.FILE if entry.name:
                self._link_back(entry, path)
            case Kind.FILE:
                _copy(self._file, path, entry.size)
            case Kind.HARD_LINK:
                path.hardlink_to(folder / entry.link)
            case Kind.SYMLINK:
                path.symlink_to(entry.link)

    def _link_back(self, entry: _SavedEntry, path: Path) -> None:
        """Link a file back into the tree; copy it if the train may have given it more names."""
        if os.stat(entry.name, dir_fd=self._linked).st_nlink == 1:
            os.link(entry.name, path, src_dir_fd=self._linked, follow_symlinks=False)
            return
        with self._open_linked(entry) as file:
            _copy(file, path, entry.size)


def _copy(source: IO[bytes], path: Path, size: int) -> None:
    """Write the next bytes of an open file to a new one."""
    with path.open("xb") as target:
        while size and (piece := source.read(min(size, CHUNK_BYTES))):
            target.write(piece)
            size -= len(piece)

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
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from entrypoint.crypto.mac import OneTimeMac, is_authentic
from entrypoint.files import page_cache
from entrypoint.files.attributes import allow_changes, restore_attributes
from entrypoint.files.page_cache import Piece
from entrypoint.files.tree import Entry, Kind
from entrypoint.limits import CHUNK_BYTES, SMALL_FILE_BYTES


def is_linkable(entry: Entry) -> bool:
    """Return whether an entry is a file large enough to be linked rather than copied."""
    return entry.kind is Kind.FILE and entry.stat.st_size >= SMALL_FILE_BYTES


class _SavedEntry(NamedTuple):
    """The line of an entry.

    Attributes:
        size: of a file, in bytes.
        linked_as: its name in the folder of linked files; empty if the contents follow the line.
        mac: of the contents of a linked file, hex; else empty.
        attributes: mode, user, group, and time in nanoseconds.
    """

    path: str
    kind: Kind
    link: str
    size: int
    linked_as: str
    mac: str
    attributes: tuple[int, int, int, int]

    @classmethod
    def of(cls, entry: Entry, linked_as: str, mac: str) -> "_SavedEntry":
        facts = entry.stat
        size = facts.st_size if entry.kind is Kind.FILE else 0
        attributes = (facts.st_mode, facts.st_uid, facts.st_gid, facts.st_mtime_ns)
        return cls(entry.path, entry.kind, entry.link, size, linked_as, mac, attributes)

    def encode(self) -> bytes:
        values = (self.path, self.kind.value, *self[2:])
        return os.fsencode(json.dumps(values, ensure_ascii=False) + "\n")

    @classmethod
    def decode(cls, line: bytes) -> "_SavedEntry":
        path, kind, *rest = json.loads(os.fsdecode(line))
        return cls(path, Kind(kind), *rest)


class SavedContents:
    """Accounts for the contents of one file in a backup.

    Attributes:
        copy: the open backup, to which the caller copies the contents; None if the file is linked.
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
    """Writes a backup and computes its MACs, since a train may be able to change it.

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

    def add(self, entry: Entry, contents: bytes = b"") -> None:
        """Append an entry and, for a file, its contents.

        Raises:
            OSError: the contents were not as long as the entry says.
        """
        self._write_line(entry)
        self._file.write(contents)
        self._mac.update(contents)
        _check_size(entry, len(contents))

    def add_streamed(self, entry: Entry, path: Path) -> AbstractContextManager[SavedContents]:
        """Append a file whose contents the block streams; link it if it is large, else copy it.

        Raises:
            OSError: see `add`.
        """
        linked_as = self._link(path) if is_linkable(entry) else ""
        return self._linking(entry, linked_as) if linked_as else self._copying(entry)

    def tag(self) -> bytes:
        """Return the MAC of the backup, with its salt."""
        return self._mac.finalize()

    @contextmanager
    def _linking(self, entry: Entry, linked_as: str) -> Iterator[SavedContents]:
        mac = OneTimeMac(self._key)
        contents = SavedContents(None, mac)
        yield contents
        self._write_line(entry, linked_as, mac.finalize().hex())
        _check_size(entry, contents.size)

    @contextmanager
    def _copying(self, entry: Entry) -> Iterator[SavedContents]:
        self._write_line(entry)
        self._file.flush()  # another process writes what follows
        contents = SavedContents(self._file, self._mac)
        yield contents
        _check_size(entry, contents.size)

    def _link(self, path: Path) -> str:
        """Link a file under the next number and return that; return "" if it has to be copied."""
        if self._linked is None:
            return ""
        name = str(self._links)
        self._links += 1
        try:
            os.link(path, self._linked / name, follow_symlinks=False)
        except OSError:  # the file system has no links, or it is one of a network and has made it
            (self._linked / name).unlink(missing_ok=True)
            return ""
        return name

    def _write_line(self, entry: Entry, linked_as: str = "", mac: str = "") -> None:
        line = _SavedEntry.of(entry, linked_as, mac).encode()
        self._file.write(line)
        self._mac.update(line)


def _check_size(entry: Entry, size: int) -> None:
    if size != (entry.stat.st_size if entry.kind is Kind.FILE else 0):
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
            self._file = stack.enter_context(_open(file))
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
        linked = {entry.linked_as: entry for entry in self._entries() if entry.linked_as}
        # A file that the train has added would still be there when the old configuration is back.
        return linked.keys() == set(os.listdir(self._linked)) and all(
            self._is_unchanged(entry, key) for entry in linked.values()
        )

    def _is_unchanged(self, entry: _SavedEntry, key: bytes) -> bool:
        """Return whether a linked file, which is there, is a file with its old contents."""
        facts = os.stat(entry.linked_as, dir_fd=self._linked, follow_symlinks=False)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size != entry.size:
            return False  # to open a FIFO would not end, nor would reading a device
        with _open(entry.linked_as, self._linked) as file:
            pieces = page_cache.chunks(file, CHUNK_BYTES)
            return is_authentic(pieces, bytes.fromhex(entry.mac), key)

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
            end = self._file.tell() + (0 if entry.linked_as else entry.size)
            yield entry
            self._file.seek(end)

    def _make(self, entry: _SavedEntry, folder: Path) -> None:
        path = folder / entry.path
        match entry.kind:
            case Kind.DIRECTORY:
                path.mkdir(mode=0o700, exist_ok=True)
            case Kind.FILE if entry.linked_as:
                self._link_back(entry, path)
            case Kind.FILE:
                _copy(self._file, path, entry.size)
            case Kind.HARD_LINK:
                path.hardlink_to(folder / entry.link)
            case Kind.SYMLINK:
                path.symlink_to(entry.link)

    def _link_back(self, entry: _SavedEntry, path: Path) -> None:
        """Link a file back into the tree, or copy it.

        It is copied if the train may have given it more names or attributes, and where the kernel
        refuses the link.
        """
        name = entry.linked_as
        with _open(name, self._linked) as file:
            with suppress(OSError):
                if not _has_additions(file):
                    os.link(name, path, src_dir_fd=self._linked, follow_symlinks=False)
                    return
            _copy(file, path, entry.size)


def _open(file: str | Path, folder: int | None = None) -> IO[bytes]:
    """Open a regular file, also if the train has removed its permissions."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    except PermissionError:
        allow_changes(file, folder)
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    return open(handle, "rb")


def _has_additions(file: IO[bytes]) -> bool:
    """Return whether a file has further names, or extended attributes that any owner may set."""
    return os.fstat(file.fileno()).st_nlink > 1 or any(
        name.startswith(("user.", "system.")) for name in os.listxattr(file.fileno())
    )


def _copy(source: IO[bytes], path: Path, size: int) -> None:
    """Write the next bytes of an open file to a new one."""
    with path.open("xb") as target:
        while size and (piece := source.read(min(size, CHUNK_BYTES))):
            target.write(piece)
            size -= len(piece)

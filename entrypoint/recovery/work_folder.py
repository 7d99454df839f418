"""The work folder of one tree that a visit opens (docs/crash-safety.md, "The work folders")."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from entrypoint.crypto.mac import is_authentic
from entrypoint.files import page_cache
from entrypoint.files.attributes import drop_special_bits
from entrypoint.files.tree import Entry, Kind, allocated_bytes
from entrypoint.limits import CHUNK_BYTES
from entrypoint.linux.durable import flush_file, flush_folder, flush_trees
from entrypoint.linux.mounts import is_mount_point
from entrypoint.linux.remove import empty, is_folder, remove
from entrypoint.model import WORK_NAME
from entrypoint.recovery.backup import BackupWriter, restore


class WorkFolder:
    """Where work files of one tree lie: beside the tree, and on the same file system.

    Attributes:
        tree: the folder that a visit opens: the results, or the immutable files.
        path: the work folder.
        leave_out: the name that walks of the tree pass over, or nothing.
    """

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        inside = is_folder(tree) and is_mount_point(tree)
        self.path = tree / WORK_NAME if inside else tree.with_name(tree.name + ".pht")
        self.leave_out = WORK_NAME if inside else ""

    @property
    def name(self) -> str:
        """What the journal calls the tree."""
        return self.tree.name

    @property
    def backup(self) -> Path:
        """What is kept of the old, encrypted tree."""
        return self.path / "backup"

    def backup_bytes(self) -> int:
        """Return how many bytes become free when the old tree is kept no longer."""
        has_kept = is_folder(self.path) and os.path.lexists(self.backup)
        return allocated_bytes(self.backup.lstat()) if has_kept else 0

    def backup_files(self) -> int:
        """Return how many files and folders become free when the old tree is kept no longer."""
        return 1 + os.path.lexists(self.backup) if is_folder(self.path) else 0

    @property
    def small(self) -> Path:
        """Where decrypted small files stay until they are verified, in one pack."""
        return self._plain / "small.pack"

    @property
    def large(self) -> Path:
        """Where other decrypted files stay until they are verified."""
        return self._plain / "large"

    @property
    def _plain(self) -> Path:
        return self.path / "plain"

    def folder(self) -> Entry:
        """Return the tree's own folder, which has to be there."""
        return Entry(".", Kind.DIRECTORY, self.tree.stat())

    def make(self) -> None:
        """Make the empty folder, for nobody else to read."""
        for folder in (self.path, self._plain, self.large):
            folder.mkdir(mode=0o700)

    def batch(self) -> Path:
        """Return the folder, made if need be, where encrypted files wait to be durable."""
        folder = self.path / "sealed"
        for made in (self.path, folder):
            if not is_folder(made):
                remove(made)
                made.mkdir(mode=0o700)
        return folder

    def clear(self) -> None:
        """Leave nothing but the kept old tree: the train can plant what sealing takes up.

        A kill while many planted files are removed finds the old tree still kept.
        """
        if is_folder(self.path):
            empty(self.path, leave_out=self.backup.name)
        else:
            remove(self.path)

    def remove(self) -> None:
        """Remove the folder, if it is there; a tree that is never opened may be read-only."""
        if os.path.lexists(self.path):
            remove(self.path)

    def drop_special_bits(self) -> None:
        """Leave the tree's own folder its permissions only, unless it is the operator's."""
        if not self.leave_out:
            drop_special_bits(self.tree)

    def empty_tree(self) -> None:
        """Make the tree an empty folder, whatever the train has put in its place."""
        if not is_folder(self.tree):
            remove(self.tree)
            self.tree.mkdir()
        empty(self.tree, leave_out=self.leave_out)

    @contextmanager
    def backing_up(self, key: bytes) -> Iterator[BackupWriter]:
        """Give what keeps the old tree; at the end of the block that is durable.

        Args:
            key: 32 bytes that only this station knows.
        """
        with page_cache.new(self.backup, cached=False) as file:
            backup = BackupWriter(file, key)
            if self.tree.is_dir():
                backup.add(self.folder())
            yield backup
            flush_file(file)

    def open_backup(self, tag: bytes | None, key: bytes) -> IO[bytes] | None:
        """Open what was kept of the old tree, or return None unless it is there as it was written.

        Only this file may be restored: to empty the tree can change what its path leads to.

        Args:
            tag: what `KeptWriter` returned, None if nothing was kept.
            key: the one it was written with.
        """
        is_file = self.backup.is_file() and not self.backup.is_symlink()
        if tag is None or not is_folder(self.path) or not is_file:
            return None
        file = self.backup.open("rb")
        if is_authentic(page_cache.chunks(file, CHUNK_BYTES), tag, key):
            file.seek(0)
            return file
        file.close()
        return None

    def restore(self, backup: IO[bytes]) -> None:
        """Put the old tree back, as `open_kept` has found it; idempotent."""
        self.empty_tree()
        if restore(backup, self.tree):
            flush_trees(self.tree)
        else:
            self.tree.rmdir()  # there was none
            flush_folder(self.tree.parent)

"""The work folder of one tree that a visit opens (docs/crash-safety.md, "The work folders")."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from entrypoint.crypto.mac import is_authentic
from entrypoint.files import page_cache
from entrypoint.files.attributes import drop_special_bits
from entrypoint.files.pack import apply
from entrypoint.files.tree import Entry, Kind, allocated_bytes, walk
from entrypoint.limits import CHUNK_BYTES
from entrypoint.linux.durable import flush_file, flush_folder, flush_trees
from entrypoint.linux.mounts import is_in_overlay, is_mount_point
from entrypoint.linux.remove import empty, is_folder, remove
from entrypoint.model import WORK_NAME
from entrypoint.recovery.backup import BackupWriter, restore


class WorkFolder:
    """The folder of one tree's work files, on the file system of the tree.

    Attributes:
        tree: the folder that a visit opens: the results, or the immutable files.
        path: the work folder: beside the tree, or within it if the tree is a mount point.
        leave_out: its name if it lies within the tree, for walks of the tree to pass over.
    """

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        inside = is_folder(tree) and is_mount_point(tree)
        self.path = tree / WORK_NAME if inside else tree.with_name(tree.name + ".pht")
        self.leave_out = WORK_NAME if inside else ""

    @property
    def name(self) -> str:
        """The name of the tree in the journal."""
        return self.tree.name

    @property
    def backup(self) -> Path:
        """The backup of the old, encrypted tree."""
        return self.path / "backup"

    def backup_bytes(self) -> int:
        """Return how many bytes become free when the backup is removed."""
        exists = is_folder(self.path) and os.path.lexists(self.backup)
        return allocated_bytes(self.backup.lstat()) if exists else 0

    def backup_files(self) -> int:
        """Return how many files and folders are gone when the work folder is removed."""
        return 1 + os.path.lexists(self.backup) if is_folder(self.path) else 0

    @property
    def small(self) -> Path:
        """The pack of decrypted small files that are not verified yet."""
        return self._plain / "small.pack"

    @property
    def large(self) -> Path:
        """The folder of other decrypted files that are not verified yet."""
        return self._plain / "large"

    @property
    def _plain(self) -> Path:
        return self.path / "plain"

    def folder(self) -> Entry:
        """Return the entry of the tree's own folder; raises OSError if there is none."""
        return Entry(".", Kind.DIRECTORY, self.tree.stat())

    def make(self) -> None:
        """Make the empty work folder, which only this user may enter."""
        for folder in (self.path, self._plain, self.large):
            folder.mkdir(mode=0o700)

    def batch(self) -> Path:
        """Return the folder of encrypted files that are not durable yet; make it if need be."""
        folder = self.path / "sealed"
        for made in (self.path, folder):
            if not is_folder(made):
                remove(made)
                made.mkdir(mode=0o700)
        return folder

    def clear(self) -> None:
        """Remove everything but the backup: the train can plant files that sealing would use.

        The backup stays, so that a kill in the midst of this can still be taken back.
        """
        if is_folder(self.path):
            empty(self.path, leave_out=self.backup.name)
        else:
            remove(self.path)

    def remove(self) -> None:
        """Remove the work folder, if there is one."""
        if os.path.lexists(self.path):  # else its parent may be read-only
            remove(self.path)

    def publish(self) -> None:
        """Replace the ciphertext by verified plaintext: small files in place, others by rename."""
        self.tree.mkdir(exist_ok=True)
        apply(self.small, self.tree, empty_first=is_in_overlay(self.tree))
        self.small.unlink()
        for entry in walk(self.large):
            final = self.tree / entry.path
            if entry.kind is Kind.DIRECTORY:
                drop_special_bits(final)
            else:
                # Not in one step: ext4 flushes a file that is renamed over another one. That is
                # not needed, since the backup is the way back until the train has succeeded.
                final.unlink()
                (self.large / entry.path).rename(final)

    def drop_special_bits(self) -> None:
        """Drop the special bits of the tree's own folder, unless it is the operator's mount."""
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
        """Yield the writer of a backup of the old tree, which is durable when the block ends.

        Args:
            key: 32 bytes that only this station can derive.
        """
        with page_cache.new(self.backup, cached=False) as file:
            backup = BackupWriter(file, key)
            if self.tree.is_dir():
                backup.add(self.folder())
            yield backup
            flush_file(file)

    def open_backup(self, tag: bytes | None, key: bytes) -> IO[bytes] | None:
        """Return the open backup, or None if it is missing or not authentic.

        Only this open file may be restored: emptying the tree can change where its path leads.

        Args:
            tag: the MAC of the backup, None if there is no backup.
            key: the key that it was written with.
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
        """Put the old tree back from the file that `open_backup` returned; idempotent."""
        self.empty_tree()
        if restore(backup, self.tree):
            flush_trees(self.tree)
        else:
            self.tree.rmdir()  # there was no tree
            flush_folder(self.tree.parent)

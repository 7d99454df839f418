"""The work folder of one tree that a visit opens (docs/crash-safety.md, "The work folders")."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from entrypoint.files import page_cache
from entrypoint.files.attributes import allow_changes, drop_special_bits
from entrypoint.files.pack import apply
from entrypoint.files.tree import Entry, Kind, allocated_bytes, walk
from entrypoint.linux.capabilities import Capability, held
from entrypoint.linux.durable import flush_each, flush_file, flush_folder, flush_trees
from entrypoint.linux.mounts import is_in_overlay, is_mount_point
from entrypoint.linux.remove import empty, is_folder, remove
from entrypoint.model import WORK_NAME
from entrypoint.recovery.backup import Backup, BackupWriter


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

    @property
    def linked(self) -> Path:
        """The folder of the large files of the old tree, which the backup does not copy."""
        return self.path / "linked"

    @property
    def place(self) -> Path:
        """A folder on the file system of the tree."""
        return self.tree if self.tree.is_dir() else self.tree.parent

    def copies_all(self) -> bool:
        """Return whether a backup copies large files too.

        In an overlay, linking a file of the image copies it first. A runner without FOWNER may not
        link files of others (fs.protected_hardlinks), and mostly shares its user with the train.
        """
        return is_in_overlay(self.place) or Capability.FOWNER not in held()

    def bytes_to_restore(self) -> int:
        """Return how many bytes are copied when the backup is restored."""
        return sum(allocated_bytes(path.lstat()) for path in self._existing(self.backup))

    def backup_bytes(self) -> int:
        """Return how many bytes become free when the backup is removed."""
        return sum(allocated_bytes(path.lstat()) for path in self._backup_paths())

    def backup_files(self) -> int:
        """Return how many files and folders are gone when the backup is removed."""
        return len(self._backup_paths())

    def _backup_paths(self) -> list[Path]:
        linked = self.linked.iterdir() if is_folder(self.linked) else ()
        return self._existing(self.backup, self.linked, *linked)

    def _existing(self, *paths: Path) -> list[Path]:
        """Return those of these paths that exist, if the work folder does."""
        return [path for path in paths if is_folder(self.path) and os.path.lexists(path)]

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
        for folder in (self.path, self._plain, self.large, self.linked):
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
        """Remove all but the backup and its linked files: the train can plant what sealing uses.

        The backup stays, so that a kill in the midst of this can still be taken back.
        """
        if is_folder(self.path):
            empty(self.path, leave_out=(self.backup.name, self.linked.name))
            self._allow_changes()
        else:
            remove(self.path)

    def remove_backup(self) -> None:
        """Remove the backup and its linked files, if there are any."""
        remove(self.backup)
        remove(self.linked)

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
        empty(self.tree, leave_out=(self.leave_out,))

    @contextmanager
    def backing_up(self, key: bytes) -> Iterator[BackupWriter]:
        """Yield the writer of a backup of the old tree, which is durable when the block ends.

        Args:
            key: 32 bytes that only this station can derive.
        """
        with page_cache.new(self.backup, cached=False) as file:
            backup = BackupWriter(file, key, None if self.copies_all() else self.linked)
            if self.tree.is_dir():
                backup.add(self.folder())
            yield backup
            flush_file(file)
            # The old files may not be on the disk yet. syncfs(2) would wait for the plaintext too.
            flush_each(self.linked)
            flush_folder(self.path)
            flush_folder(self.path.parent)

    @contextmanager
    def open_backup(self, tag: bytes | None, key: bytes) -> Iterator[Backup | None]:
        """Yield the open backup, or None if it is missing or not authentic.

        Args:
            tag: the MAC of the backup, None if there is no backup.
            key: the key that it was written with.
        """
        self._allow_changes()
        is_file = self.backup.is_file() and not self.backup.is_symlink()
        if tag is None or not is_folder(self.path) or not is_file or not is_folder(self.linked):
            yield None
            return
        with closing(Backup(self.backup, self.linked)) as backup:
            yield backup if backup.is_authentic(tag, key) else None

    def _allow_changes(self) -> None:
        """Restore this user's permissions on the folders, which the train may have removed."""
        for folder in (self.path, self.linked):
            if is_folder(folder):
                allow_changes(folder)

    def restore(self, backup: Backup) -> None:
        """Put the old tree back from what `open_backup` yields; idempotent."""
        self.empty_tree()
        if backup.restore(self.tree):
            flush_trees(self.tree)
        else:
            self.tree.rmdir()  # there was no tree
            flush_folder(self.tree.parent)

"""Checks that the disk has space for opening, sealing and restoring a train.

Whether sealing fits is checked while the old state can still come back.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from entrypoint.errors import MalformedTrain, StorageError
from entrypoint.files.pack import record_bytes
from entrypoint.files.tree import Entry, Kind, allocated_bytes, is_small, walk
from entrypoint.limits import SEAL_BATCH_BYTES
from entrypoint.linux.disk import free_bytes, free_files, longest_file, total_bytes
from entrypoint.protocol.batch import BatchSize
from entrypoint.recovery.backup import is_linkable
from entrypoint.recovery.work_folder import WorkFolder

_BLOCK_BYTES = 4096
"""The usual unit in which file systems allocate."""

_COMMIT_BYTES = 64 * 1024
"""Maximum growth of the configuration by a stop, and the user's envelope."""

_WORK_FILES = 4
"""Maximum number of packs and folders in a work folder during sealing."""

_SealedBytes = Callable[[int], int]
"""Returns the length of a sealed file, given that of the plaintext."""


class SpaceNeeded(NamedTuple):
    """The disk space that sealing a tree needs.

    Attributes:
        now: bytes of the tree as the train has left it.
        more: maximum of further bytes.
        files: maximum number of further files and folders.
        longest: bytes of the longest file that is written.
    """

    now: int
    more: int
    files: int
    longest: int = 0


def by_file_system(works: Sequence[WorkFolder], *more: Path) -> dict[Path, list[WorkFolder]]:
    """Group work folders by the file systems of their trees; keys are one folder of each.

    Args:
        works: the work folders.
        more: folders whose file systems are listed even if no tree lies there.
    """
    folders = {folder.stat().st_dev: folder for folder in more}
    found: dict[Path, list[WorkFolder]] = {folder: [] for folder in more}
    for work in works:
        folder = folders.setdefault(work.place.stat().st_dev, work.place)
        found.setdefault(folder, []).append(work)
    return found


def backups_fit(works: Sequence[WorkFolder]) -> bool:
    """Return whether the plaintext and backups of these trees fit on the disk.

    Raises:
        StorageError: not even the plaintext fits.
    """
    fits = True
    for folder, there in by_file_system(works).items():
        sizes = [_bytes_to_open(work) for work in there]
        plain, backup = sum(size[0] for size in sizes), sum(size[1] for size in sizes)
        free = free_bytes(folder)
        if free < plain:
            raise StorageError(
                "disk-full",
                f"decrypting the train needs {plain} bytes and {free} are free",
                hint="free space where the container's files lie, then start again",
                retry=True,
            )
        fits = fits and free >= plain + backup
    return fits


def _bytes_to_open(work: WorkFolder) -> tuple[int, int]:
    """Return the maximum size of a tree's plaintext, and of its backup."""
    plain = backup = 0
    copies_all = work.copies_all()
    for entry in walk(work.tree, leave_out=work.leave_out, missing_ok=True):
        size = (entry.stat.st_size if entry.kind is Kind.FILE else 0) + _BLOCK_BYTES
        plain += size
        backup += size if copies_all or not is_linkable(entry) else _BLOCK_BYTES
    return plain, backup


def no_space_to_restore(works: Sequence[WorkFolder]) -> StorageError:
    """Return the error for old trees that could be restored only in part."""
    missing = 0
    for folder, there in by_file_system(works).items():
        needed = sum(work.bytes_to_restore() for work in there)
        missing += max(needed - free_bytes(folder) - sum(map(_tree_bytes, there)), 0)
    problem = f"at least {missing} bytes are missing" if missing else "a little is missing"
    return StorageError(
        "disk-full",
        f"the disk has no space for the old state, which has to be restored: {problem}",
        hint="free that much space where the container's files lie, which the train may have "
        "filled, and start this same container again: it restores the old state first; or remove "
        "the container and begin with the image",
        retry=True,
    )


def _tree_bytes(work: WorkFolder) -> int:
    """Return the number of bytes that become free when a tree is emptied."""
    entries = walk(work.tree, leave_out=work.leave_out, missing_ok=True)
    return sum(allocated_bytes(entry.stat) for entry in entries if entry.kind is Kind.FILE)


def check_space_to_seal(
    folder: Path, works: Sequence[WorkFolder], spaces: Sequence[SpaceNeeded]
) -> None:
    """Check that trees of one file system can be sealed there once their backups are removed.

    Args:
        folder: on that file system.
        works: the work folders of the trees.
        spaces: needed for these trees, and for the other files that a commit writes there.

    Raises:
        MalformedTrain: it can never fit, however much is freed.
        StorageError: it does not fit now.
    """
    longest, limit = max((space.longest for space in spaces), default=0), longest_file()
    if longest > limit:
        raise _too_large(f"writes a file of {longest} bytes, and {limit} are allowed (ulimit -f)")
    needed = sum(space.more for space in spaces)
    at_peak, total = needed + sum(space.now for space in spaces), total_bytes(folder)
    if at_peak > total:
        raise _too_large(f"takes {at_peak} bytes, and their whole disk has {total}")
    free = free_bytes(folder) + sum(work.backup_bytes() for work in works)
    if needed > free:
        raise _full(f"needs {needed} bytes and {free} are free: {needed - free} are missing")
    files = sum(space.files for space in spaces)
    free = free_files(folder) + sum(work.backup_files() for work in works)
    if files > free:
        raise _full(f"needs {files} new files and {free} can be made: {files - free} are missing")


def _too_large(why: str) -> MalformedTrain:
    return MalformedTrain(
        "results-too-large",
        f"sealing the results {why}",
        hint="let the train leave less (the holes of a sparse file count too), or give the "
        "container a larger disk, or limit; the train has to run again",
    )


def _full(why: str) -> StorageError:
    return StorageError(
        "disk-full",
        f"sealing the results {why}",
        hint="free that much space where the container's files lie, then start this same container "
        "again: it seals the results without a new run of the train; to give them up, remove "
        "the container and begin with the image (with --root: pht undo)",
        retry=True,
    )


def space_to_commit(config_bytes: int) -> SpaceNeeded:
    """Return the space for the user's envelope and for the new configuration.

    Args:
        config_bytes: length of the old configuration.
    """
    return SpaceNeeded(now=0, more=2 * config_bytes + _COMMIT_BYTES, files=2)


def space_to_seal(tree: Path, leave_out: str, sealed_bytes: _SealedBytes) -> SpaceNeeded:
    """Return the space that `seal` needs for a tree.

    Encrypted files lie beside the plaintext until their batch is complete. Small files are then
    written in place from their pack, which stays until the next batch is complete.
    """
    now = peak = grown = pack_before = files_peak = files_grown = longest = 0
    for batch in _batches(tree, leave_out, sealed_bytes):
        now += batch.before
        peak = max(peak, grown + batch.files + batch.pack + max(pack_before, batch.small_growth))
        grown += batch.files - batch.freed + batch.small_growth
        pack_before = batch.pack
        files_peak = max(files_peak, files_grown + batch.new_files)
        files_grown += batch.new_files - batch.freed_files
        longest = max(longest, batch.longest, batch.pack)
    return SpaceNeeded(now, peak, files_peak + _WORK_FILES, longest)


class _Batch:
    """The disk space of one batch of `seal`.

    Attributes:
        before: bytes of all files as the train has left them.
        files: bytes of the large files, encrypted.
        freed: bytes of the files that these replace.
        pack: bytes of the pack of small files.
        small_growth: bytes by which the small files grow in place.
        new_files: number of large files.
        freed_files: number of files that these replace.
        longest: bytes of the longest of them, encrypted.
    """

    def __init__(self) -> None:
        self.before = self.files = self.freed = self.small_growth = 0
        self.new_files = self.freed_files = self.longest = 0
        self.pack = _BLOCK_BYTES

    def add(self, entry: Entry, sealed: int) -> None:
        """Add a file that will be `sealed` bytes long."""
        before = allocated_bytes(entry.stat)
        after = -(-sealed // _BLOCK_BYTES) * _BLOCK_BYTES
        self.before += before
        if is_small(entry):
            self.pack += record_bytes(entry.path, sealed)
            self.small_growth += max(after - before, 0)  # its blocks may be larger than ours
        else:
            self.files += after
            self.freed += before
            self.new_files += 1
            self.freed_files += entry.stat.st_nlink == 1
            self.longest = max(self.longest, sealed)


def _batches(tree: Path, leave_out: str, sealed_bytes: _SealedBytes) -> Iterator[_Batch]:
    """Yield the batches in which `seal` goes through a tree."""
    size, batch = BatchSize(SEAL_BATCH_BYTES), _Batch()
    for entry in walk(tree, leave_out=leave_out):
        if entry.has_contents:
            sealed = sealed_bytes(entry.stat.st_size)
            if size.begins_next(sealed if is_small(entry) else entry.stat.st_size):
                yield batch
                batch = _Batch()
            batch.add(entry, sealed)
    yield batch

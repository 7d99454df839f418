"""Checks that sealing fits on the disk, while the old state can still come back."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from entrypoint.errors import MalformedTrain, StorageError
from entrypoint.files.pack import record_bytes
from entrypoint.files.tree import Entry, Kind, allocated_bytes, is_small, walk
from entrypoint.limits import SEAL_BATCH_BYTES
from entrypoint.linux.disk import free_bytes, free_files, longest_file, total_bytes
from entrypoint.protocol.batch import BatchSize
from entrypoint.recovery.work_folder import WorkFolder

_BLOCK_BYTES = 4096  # in which file systems allocate, mostly
_COMMIT_BYTES = 64 * 1024  # the user's envelope, and what a stop adds to the configuration
_WORK_FILES = 4  # two packs, in a folder of the work folder

SealedBytes = Callable[[int], int]
"""Returns how long a file of a length is once it is sealed."""


class Room(NamedTuple):
    """The disk space of a tree.

    Attributes:
        now: as the train has left it, in bytes.
        more: at most beside that while it is sealed, in bytes.
        files: at most so many more files and folders there are while it is sealed.
        longest: the longest file that is written, in bytes.
    """

    now: int
    more: int
    files: int
    longest: int = 0


def check_room_to_seal(folder: Path, works: Sequence[WorkFolder], rooms: Sequence[Room]) -> None:
    """Check that trees of one file system can be sealed there once their old state is dropped.

    Args:
        folder: on that file system.
        works: the work folders of the trees.
        rooms: what these take, and whatever else is written there.

    Raises:
        MalformedTrain: it can never fit, however much is freed.
        StorageError: it does not fit now.
    """
    longest, limit = max((room.longest for room in rooms), default=0), longest_file()
    if longest > limit:
        raise _too_large(f"writes a file of {longest} bytes, and {limit} are allowed (ulimit -f)")
    needed = sum(room.more for room in rooms)
    at_peak, total = needed + sum(room.now for room in rooms), total_bytes(folder)
    if at_peak > total:
        raise _too_large(f"takes {at_peak} bytes, and their whole disk has {total}")
    free = free_bytes(folder) + sum(work.backup_bytes() for work in works)
    if needed > free:
        raise _full(f"needs {needed} bytes and {free} are free: {needed - free} are missing")
    files = sum(room.files for room in rooms)
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
        hint="free them where the container's files lie, then start this same container "
        "again: it seals the results without a new run of the train; to give them up, remove "
        "the container and begin with the image (with --root: pht undo)",
        retry=True,
    )


def room_to_commit(config_bytes: int) -> Room:
    """Return what the user's envelope takes, and a configuration of this length, written anew."""
    return Room(now=0, more=2 * config_bytes + _COMMIT_BYTES, files=2)


def room_to_seal(tree: Path, leave_out: str, sealed_bytes: SealedBytes) -> Room:
    """Return what a tree takes, and takes beside that while `seal` goes through it.

    What is encrypted lies beside what it replaces, until its batch is complete. Small files are
    then written in place from their pack, which stays until the next batch is complete.
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
    return Room(now, peak, files_peak + _WORK_FILES, longest)


class _Batch:
    """The disk space of one batch of `seal`, in bytes.

    Attributes:
        before: its files, as the train has left them.
        files: its large files, encrypted.
        freed: what these replace.
        pack: the pack of its small files.
        small_growth: how much more these take in place than before.
        new_files: how many of its files are large.
        freed_files: how many files these replace.
        longest: the longest of them, encrypted.
    """

    def __init__(self) -> None:
        self.before = self.files = self.freed = self.small_growth = 0
        self.new_files = self.freed_files = self.longest = 0
        self.pack = _BLOCK_BYTES

    def add(self, entry: Entry, sealed: int) -> None:
        """Add a file that will have a length of `sealed`."""
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


def _batches(tree: Path, leave_out: str, sealed_bytes: SealedBytes) -> Iterator[_Batch]:
    """Yield the batches in which `seal` goes through a tree."""
    size, batch = BatchSize(SEAL_BATCH_BYTES), _Batch()
    for entry in walk(tree, leave_out=leave_out):
        if entry.kind in (Kind.FILE, Kind.HARD_LINK):
            sealed = sealed_bytes(entry.stat.st_size)
            if size.begins_next(sealed if is_small(entry) else entry.stat.st_size):
                yield batch
                batch = _Batch()
            batch.add(entry, sealed)
    yield batch

"""Whether sealing fits on the disk, asked while the old state can still come back."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from entrypoint.batch import BatchSize
from entrypoint.errors import MalformedTrain, StorageError
from entrypoint.limits import SEAL_BATCH_BYTES
from entrypoint.linux.disk import free_bytes, total_bytes
from entrypoint.pack import record_bytes
from entrypoint.tree import Entry, Kind, allocated_bytes, is_small, walk
from entrypoint.work import WorkFolder

_BLOCK_BYTES = 4096  # in which file systems allocate, mostly
_COMMIT_BYTES = 64 * 1024  # the user's envelope, and what a stop adds to the configuration

SealedBytes = Callable[[int], int]
"""Returns how long a file of a length is once it is sealed."""


class Room(NamedTuple):
    """What a tree takes on its disk, in bytes.

    Attributes:
        now: as the train has left it.
        more: at most beside that while it is sealed.
    """

    now: int
    more: int


def check_room_to_seal(
    folder: Path, works: Sequence[WorkFolder], sealed_bytes: SealedBytes, config_bytes: int
) -> None:
    """Check that trees of one file system can be sealed there once their old state is dropped.

    Args:
        folder: on that file system.
        works: the work folders of the trees.
        sealed_bytes: of the cipher.
        config_bytes: length of the configuration, which is written anew too.

    Raises:
        MalformedTrain: it can never fit, however much is freed.
        StorageError: it does not fit now.
    """
    rooms = [room_to_seal(work.tree, work.leave_out, sealed_bytes) for work in works]
    needed = sum(room.more for room in rooms) + 2 * config_bytes + _COMMIT_BYTES
    at_peak, total = needed + sum(room.now for room in rooms), total_bytes(folder)
    if at_peak > total:
        raise MalformedTrain(
            "results-too-large",
            f"sealing the results takes {at_peak} bytes, and their whole disk has {total}",
            hint="let the train leave less (the holes of a sparse file count too), or give the "
            "container a larger disk; the train has to run again",
        )
    free = free_bytes(folder) + sum(work.kept_bytes() for work in works)
    if needed > free:
        raise StorageError(
            "disk-full",
            f"sealing the results needs {needed} bytes and {free} are free: "
            f"{needed - free} are missing",
            hint="free them where the container's files lie, then start this same container "
            "again: it seals the results without a new run of the train; to give them up, remove "
            "the container and begin with the image (with --root: pht undo)",
            retry=True,
        )


def room_to_seal(tree: Path, leave_out: str, sealed_bytes: SealedBytes) -> Room:
    """Return what a tree takes, and takes beside that while `seal` goes through it.

    What is encrypted lies beside what it replaces, until its batch is complete. Small files are
    then written in place from their pack, which stays until the next batch is complete.
    """
    now = peak = grown = pack_before = 0
    for batch in _batches(tree, leave_out, sealed_bytes):
        now += batch.before
        peak = max(peak, grown + batch.files + batch.pack + max(pack_before, batch.small_growth))
        grown += batch.files - batch.freed + batch.small_growth
        pack_before = batch.pack
    return Room(now, peak)


class _Batch:
    """What a batch of `seal` takes on the disk, in bytes.

    Attributes:
        before: its files, as the train has left them.
        files: its large files, encrypted.
        freed: what these replace.
        pack: the pack of its small files.
        small_growth: how much more these take in place than before.
    """

    def __init__(self) -> None:
        self.before = self.files = self.freed = self.small_growth = 0
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

"""Whether sealing fits on the disk, asked while the old state can still come back."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from entrypoint.errors import MalformedTrain, StorageError
from entrypoint.limits import SEAL_BATCH_BYTES
from entrypoint.linux.disk import free_bytes, total_bytes
from entrypoint.pack import record_bytes
from entrypoint.tree import Kind, allocated_bytes, is_small, walk
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
    counted = files = freed = small_grow = 0
    pack = _BLOCK_BYTES
    for entry in walk(tree, leave_out=leave_out):
        if entry.kind not in (Kind.FILE, Kind.HARD_LINK):
            continue
        if counted >= SEAL_BATCH_BYTES:
            grown, pack_before = grown + files - freed + small_grow, pack
            counted = files = freed = small_grow = 0
            pack = _BLOCK_BYTES
        sealed, before = sealed_bytes(entry.stat.st_size), allocated_bytes(entry.stat)
        after = -(-sealed // _BLOCK_BYTES) * _BLOCK_BYTES
        now += before
        if is_small(entry):
            counted += sealed
            pack += record_bytes(entry.path, sealed)
            small_grow += after - before
        else:
            counted += entry.stat.st_size
            files += after
            freed += before
        peak = max(peak, grown + files + pack + max(pack_before, small_grow))
    return Room(now, peak)

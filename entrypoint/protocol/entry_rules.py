"""Which entries of a train's folder may travel."""

import os

from entrypoint.errors import MalformedTrain
from entrypoint.files.tree import Entry, Kind, describe_special
from entrypoint.model import WORK_NAME

_WHITEOUT = ".wh."
"""The beginning of names that the specification of images reserves."""


def check_entry(entry: Entry, folder: str) -> None:
    """Check that an entry of a folder below `/opt` may travel.

    A symlink has to stay inside of the folder. Its target may begin with `..` but not hold it
    later, where it could lead out through another link.

    Args:
        entry: of the folder, wherever that lies at the moment.
        folder: its name.

    Raises:
        MalformedTrain: a device, FIFO or socket, a folder nested too deep, a symlink out of the
            folder, or the name of the runner's own work folder.
    """
    if entry.path == WORK_NAME:
        raise _unsafe(entry, folder, "a name reserved for the runner")
    if entry.kind is Kind.SPECIAL:
        raise _unsafe(entry, folder, describe_special(entry))
    if entry.kind is Kind.SYMLINK and _leads_out(entry, folder):
        raise _unsafe(entry, folder, "a link out of it")


def check_name(entry: Entry, folder: str) -> None:
    """Check that an entry of a folder below `/opt` is not lost when it becomes part of an image.

    Raises:
        MalformedTrain: in a layer a file of its name stands for another one that was deleted.
    """
    if os.path.basename(entry.path).startswith(_WHITEOUT):
        raise _unsafe(entry, folder, "a name by which an image deletes files of its lower layers")


def _leads_out(link: Entry, folder: str) -> bool:
    target = link.link.removeprefix(f"/opt/{folder}/")
    depth = link.path.count("/") if target == link.link else 0
    parts = [part for part in target.split("/") if part not in ("", ".")]
    up = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    return target.startswith("/") or up > depth or ".." in parts[up:]


def _unsafe(entry: Entry, folder: str, what: str) -> MalformedTrain:
    return MalformedTrain(
        "results-unsafe",
        f"{folder} holds {entry.path}, {what}",
        hint="results are files, folders and links among them; change the train",
    )

"""Walks a folder in archive order, in which the protocol hashes it.

Archive order (docs/protocol.md): depth first, the names of each folder sorted by their bytes, a
folder's contents right after it. `os.walk` and a sort of whole paths both differ from that.
"""

import os
import stat
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from entrypoint.files.attributes import SPECIAL_BITS
from entrypoint.limits import FOLDER_PATH_BYTES, SMALL_FILE_BYTES


class Kind(Enum):
    """The kind of an entry of a folder; a folder nested too deep counts as SPECIAL."""

    DIRECTORY = "directory"
    FILE = "file"
    HARD_LINK = "hard link"
    SYMLINK = "symlink"
    SPECIAL = "special file"


class Entry(NamedTuple):
    """One entry of a tree.

    Attributes:
        path: relative to the tree's root, `/` between the parts; undecodable bytes of a name are
            surrogates.
        link: the target of a symlink, or the earlier path of the file that a hard link names again.
    """

    path: str
    kind: Kind
    stat: os.stat_result
    link: str = ""

    @property
    def has_contents(self) -> bool:
        """True for a file, and for a hard link, which travels as a file of its own."""
        return self.kind in (Kind.FILE, Kind.HARD_LINK)


def walk(root: Path, *, leave_out: str = "", missing_ok: bool = False) -> Iterator[Entry]:
    """Yield everything below `root` in archive order, without following any symlink.

    Of several names of one file the first is a FILE and the others are HARD_LINKs to it, as a
    container engine archives them.

    Args:
        root: the folder; not itself yielded.
        leave_out: a name directly below `root` to skip.
        missing_ok: yield nothing if `root` is not a folder, or is a link to one.
    """
    if missing_ok and (root.is_symlink() or not root.is_dir()):
        return
    first_names: dict[tuple[int, int], str] = {}
    yield from _walk(os.fspath(root), "", first_names, leave_out)


def describe_special(entry: Entry) -> str:
    """Return the kind of a SPECIAL entry in words, for messages."""
    is_folder = stat.S_ISDIR(entry.stat.st_mode)
    return "a folder nested too deep" if is_folder else "a device, FIFO or socket"


def is_small(entry: Entry) -> bool:
    """Return whether a file is small and can be overwritten in place.

    A file with several names or without write permission cannot, nor one with set-id bits: those
    are dropped by replacing it with a new file.
    """
    info = entry.stat
    in_place = info.st_nlink == 1 and info.st_mode & (stat.S_IWUSR | SPECIAL_BITS) == stat.S_IWUSR
    return in_place and info.st_size < SMALL_FILE_BYTES


def allocated_bytes(info: os.stat_result) -> int:
    """Return how many bytes removing a file frees; none while it has another name."""
    return info.st_blocks * 512 if info.st_nlink == 1 else 0


def _walk(
    folder: str, prefix: str, first_names: dict[tuple[int, int], str], leave_out: str
) -> Iterator[Entry]:
    names = os.listdir(os.fsencode(folder))
    names.sort()  # of bytes: a folder of a million files takes a tenth of what entries would
    for name in map(os.fsdecode, names):
        if name == leave_out:
            continue
        full = f"{folder}/{name}"
        entry = _entry(prefix + name, full, os.lstat(full), first_names)
        yield entry
        if entry.kind is Kind.DIRECTORY:
            yield from _walk(full, entry.path + "/", first_names, "")


def _entry(
    path: str, full: str, info: os.stat_result, first_names: dict[tuple[int, int], str]
) -> Entry:
    if stat.S_ISDIR(info.st_mode):
        too_deep = len(os.fsencode(path)) > FOLDER_PATH_BYTES
        return Entry(path, Kind.SPECIAL if too_deep else Kind.DIRECTORY, info)
    if stat.S_ISLNK(info.st_mode):
        return Entry(path, Kind.SYMLINK, info, os.readlink(full))
    if not stat.S_ISREG(info.st_mode):
        return Entry(path, Kind.SPECIAL, info)
    if info.st_nlink > 1:
        first = first_names.setdefault((info.st_dev, info.st_ino), path)
        if first != path:
            return Entry(path, Kind.HARD_LINK, info, first)
    return Entry(path, Kind.FILE, info)

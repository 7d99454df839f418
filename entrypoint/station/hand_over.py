"""`hand-over`: puts a sealed train into the image that it leaves on, and compares the copy.

It runs in a container of the image as it was built, beside the volume of the visit: so the data go
once from file to file, and never through the engine's client.
"""

import filecmp
import os
import shutil
import stat
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from entrypoint.errors import MissingInput, SettingsError, StorageError
from entrypoint.files.attributes import PERMISSIONS, restore_attributes
from entrypoint.files.links import refuse_links
from entrypoint.files.tree import Entry, Kind, walk
from entrypoint.linux.mounts import is_mount_point, mounts_below
from entrypoint.linux.remove import remove
from entrypoint.model import WORK_NAME, Paths
from entrypoint.train_config import read
from entrypoint.train_config.file import read_config
from entrypoint.visit.place import check_persistent


class SealedTrain(Paths):
    """The paths of a train whose folder is mounted elsewhere: `root` takes the place of `opt`."""

    @property
    def opt(self) -> Path:
        """The folder that holds everything a train carries."""
        return self.root


def hand_over(source: Paths, target: Paths, *, in_container: bool) -> None:
    """Replace the train at `target` by the sealed one at `source`, with its owners and modes.

    Args:
        source: of the sealed train.
        target: of the train in the image as it was built.
        in_container: whether the engine makes an image of the container afterwards.

    Raises:
        MissingInput: there is no sealed train at `source`.
        MalformedTrain: it is unfinished or its configuration is not well formed.
        IntegrityError: a part of it is a link.
        SettingsError: the target is the source, or the engine would not find the copy there.
        StorageError: the copy is not what was sealed.
    """
    read(read_config(source))
    refuse_links(*_parts(source), target.opt)
    for part in _parts(source):
        if not part.exists():
            raise MissingInput(
                "no-train",
                f"there is no sealed train here: {part} does not exist",
                hint="name the folder that holds a sealed train as /opt of its container does",
            )
    _check_target(source.opt, target.opt, in_container)
    for part, place in zip(_parts(source), _parts(target), strict=True):
        remove(place)
        _copy(part, place)
        _compare(part, place)


def _check_target(source: Path, target: Path, in_container: bool) -> None:
    if source.samefile(target) or source.resolve().is_relative_to(target.resolve()):
        raise SettingsError(
            "place-unsuitable",
            f"{source} is in {target}, which it has to replace",
            hint="mount the sealed train elsewhere in a new container of the image",
        )
    if in_container:
        check_persistent(target)
        if mounts := [*([target] if is_mount_point(target) else []), *mounts_below(target)]:
            raise SettingsError(
                "place-unsuitable",
                f"something is mounted at {mounts[0]}, and no engine puts that into an image",
                hint="start a new container without a volume there; if the image itself has a "
                "VOLUME, have it built without",
            )


def _parts(paths: Paths) -> tuple[Path, ...]:
    return paths.train, paths.results, paths.user_key, paths.config


def _entries(part: Path) -> Iterator[Entry]:
    """Yield a part of a train and what is below it, the work folder of a visit left out."""
    kind = Kind.DIRECTORY if part.is_dir() else Kind.FILE
    yield Entry("", kind, part.stat())
    if kind is Kind.DIRECTORY:
        yield from walk(part, leave_out=WORK_NAME)


def _copy(source: Path, target: Path) -> None:
    for entry in _entries(source):
        _copy_entry(entry, source, target)
    # Afterwards: a folder may forbid to write there, and each file made in it changes its time.
    for entry in _entries(source):
        kind, mode, uid, gid = _attributes(entry)
        restore_attributes(target / entry.path, kind | mode, uid, gid, entry.stat.st_mtime_ns)


def _copy_entry(entry: Entry, source: Path, target: Path) -> None:
    copied = target / entry.path
    match entry.kind:
        case Kind.DIRECTORY:
            copied.mkdir()
        case Kind.FILE:
            shutil.copyfile(source / entry.path, copied)
        case Kind.HARD_LINK:
            os.link(target / entry.link, copied)
        case Kind.SYMLINK:
            copied.symlink_to(entry.link)
        case Kind.SPECIAL:
            pass  # no sealed train has one; the comparison says so


def _compare(source: Path, target: Path) -> None:
    for sealed, copied in zip_longest(_entries(source), _entries(target)):
        entry = sealed or copied
        if not (
            sealed
            and copied
            and _facts(sealed) == _facts(copied)
            and _has_same_contents(entry, source, target)
        ):
            raise StorageError(
                "not-handed-over",
                f"{target / entry.path} is not as it was sealed in {source / entry.path}",
                hint="the sealed train is where it was; give the container the capabilities CHOWN, "
                "DAC_OVERRIDE and FOWNER, and try again in a new one; else look at the disk",
            )


def _facts(entry: Entry) -> tuple[object, ...]:
    return entry.path, entry.kind, entry.link, _attributes(entry)


def _attributes(entry: Entry) -> tuple[int, int, int, int]:
    """Return file type, permissions, user and group; the other bits of a mode do not travel."""
    info = entry.stat
    return stat.S_IFMT(info.st_mode), info.st_mode & PERMISSIONS, info.st_uid, info.st_gid


def _has_same_contents(entry: Entry, source: Path, target: Path) -> bool:
    if entry.kind is not Kind.FILE:
        return True
    return filecmp.cmp(source / entry.path, target / entry.path, shallow=False)

"""`hand-over`: puts a sealed train into the image that it leaves on, and compares the copy.

It runs in a container of the image as it was built, beside the volume of the visit: so the data go
once from file to file, and never through the engine's client.
"""

import filecmp
import os
import shutil
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from entrypoint.errors import StorageError
from entrypoint.files.attributes import restore_attributes
from entrypoint.files.links import refuse_links
from entrypoint.files.tree import Entry, Kind, walk
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
        MissingInput: there is no train at `source`.
        MalformedTrain: it is unfinished or its configuration is not well formed.
        IntegrityError: a part of it is a link.
        SettingsError: the engine would not find the copy.
        StorageError: the copy is not what was sealed.
    """
    read(read_config(source))
    refuse_links(source.user_key, target.opt)
    if in_container:
        check_persistent(target.opt)
    for old, new in zip(_parts(target), _parts(source), strict=True):
        remove(old)
        if new != source.user_key or new.exists():  # some published stations write none
            _copy(new, old)
            _compare(new, old)


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
        info = entry.stat
        restore_attributes(
            target / entry.path, info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns
        )


def _copy_entry(entry: Entry, source: Path, target: Path) -> None:
    old, new = source / entry.path, target / entry.path
    match entry.kind:
        case Kind.DIRECTORY:
            new.mkdir()
        case Kind.FILE:
            shutil.copyfile(old, new)
        case Kind.HARD_LINK:
            os.link(target / entry.link, new)
        case Kind.SYMLINK:
            new.symlink_to(entry.link)
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
                hint="the sealed train is where it was; look for a failing disk and for missing "
                "capabilities (CHOWN, DAC_OVERRIDE, FOWNER), then try again in a new container",
            )


def _facts(entry: Entry) -> tuple[object, ...]:
    info = entry.stat
    return entry.path, entry.kind, entry.link, info.st_mode, info.st_uid, info.st_gid


def _has_same_contents(entry: Entry, source: Path, target: Path) -> bool:
    if entry.kind is not Kind.FILE:
        return True
    return filecmp.cmp(source / entry.path, target / entry.path, shallow=False)

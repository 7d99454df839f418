"""Owners and modes of a train's places: recorded, changed for the run, and restored.

The train may run as a user of its own. Then it owns the results and may read its signed files and
make others beside them, but not change, replace or rename them. It gets these rights through its
group, so other users of the machine get none.
"""

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from entrypoint.files.attributes import (
    PERMISSIONS,
    Attributes,
    Owner,
    give,
    if_allowed,
    restore_attributes,
)
from entrypoint.files.tree import Entry, Kind, walk
from entrypoint.linux.remove import is_folder
from entrypoint.model import Paths
from entrypoint.recovery.work_folder import WorkFolder

Places = Mapping[str, Attributes]
"""Attributes of files and folders by their paths, relative to `/opt`; with the whole `st_mode`."""

_OTHERS_WRITE = 0o022
_SHARED = stat.S_ISVTX | 0o770
"""The mode of a folder in which a group makes files, but removes and renames only its own."""


def record(paths: Paths, opened: Collection[WorkFolder], train: Owner | None) -> Places:
    """Return the attributes, as they have arrived, of all places that a run may change.

    These are `/opt`, the results folder, `pht_train`, the folders in it, and those files in it that
    `hand_over` changes. Special bits in trees that a visit opens are left out: they do not travel.

    Args:
        paths: of the train.
        opened: the work folders of the trees that the visit opens.
        train: user and group of the train; None if the train has the user of this process.
    """
    found = {}
    for path, info, special_bits in _places(paths, opened):
        place = Attributes(info.st_mode, info.st_uid, info.st_gid)
        if not special_bits:
            place = place._replace(mode=stat.S_IFMT(place.mode) | place.mode & PERMISSIONS)
        if stat.S_ISDIR(place.mode) or (train and read_only(place, train) != place):
            found[os.path.relpath(path, paths.opt)] = place
    return found


def _places(
    paths: Paths, opened: Collection[WorkFolder]
) -> Iterator[tuple[Path | str, os.stat_result, bool]]:
    """Yield paths of folders and signed files, each with whether its special bits travel."""
    works = {work.tree: work for work in opened}
    yield paths.opt, paths.opt.stat(), True
    for tree in (paths.results, paths.train):
        if is_folder(tree):
            work = works.get(tree)
            is_mount = bool(work and work.leave_out)
            yield tree, tree.stat(), work is None or is_mount
    work = works.get(paths.train)
    for entry in walk(paths.train, leave_out=work.leave_out if work else "", missing_ok=True):
        if entry.kind in (Kind.DIRECTORY, Kind.FILE):
            yield f"{paths.train}/{entry.path}", entry.stat, work is None


def read_only(place: Attributes, train: Owner) -> Attributes:
    """Return attributes that let the train read a file or enter a folder, but not change it."""
    uid, gid = train
    needed = 0o5 if stat.S_ISDIR(place.mode) or place.mode & stat.S_IXUSR else 0o4
    mode, group = place.mode & ~_OTHERS_WRITE, place.gid
    if group == gid or mode & needed != needed:
        mode, group = mode | needed << 3, gid
    return Attributes(mode, os.geteuid() if place.uid == uid else place.uid, group)


def _shared(place: Attributes, train: Owner) -> Attributes:
    """Return attributes that let the train make files in a folder, but not replace others'."""
    mode = stat.S_IFDIR | _SHARED | place.mode & 0o005
    return Attributes(mode, os.geteuid(), train[1])


def hand_over(paths: Paths, places: Places, results: WorkFolder, train: Owner) -> None:
    """Give the results to a train with a user of its own, and protect its signed files from it.

    Called right after the results were written: changing the owner of a file that still lies in a
    layer of the image would copy the whole file (overlayfs).

    Args:
        paths: of the train.
        places: as `record` has returned them.
        results: the work folder of the results.
        train: user and group of the train.
    """
    for name, place in places.items():
        path = paths.opt / name
        if stat.S_ISDIR(place.mode) and path not in (paths.opt, paths.results):
            _set(path, _shared(place, train))
        elif path != paths.results:
            _set(path, read_only(place, train))
    if results.leave_out:  # a mount: the work folder lies in it, and must not be renamed
        _set(paths.results, _shared(places[results.name], train))
    else:
        _give_result(paths.results, results.folder(), train)
    for entry in walk(paths.results, leave_out=results.leave_out):
        _give_result(f"{paths.results}/{entry.path}", entry, train)


def _give_result(path: Path | str, entry: Entry, train: Owner) -> None:
    """Give a result to the train, which may change it as root could, whatever its mode was.

    Without that its mode, chosen by whoever wrote it, would cost the protection by permissions:
    the train would get DAC_OVERRIDE.
    """
    give(path, entry.stat, train)
    needed = 0o700 if entry.kind is Kind.DIRECTORY else 0o600
    mode = entry.stat.st_mode & PERMISSIONS
    if entry.kind is not Kind.SYMLINK and mode & needed != needed:
        with if_allowed():
            os.chmod(path, mode | needed)


def results_owner(places: Places) -> Owner:
    """Return the owner of the results folder, or of `/opt` if there was none, as it arrived."""
    place = places.get("pht_results", places["."])
    return place.uid, place.gid


def restore(opt: Path, places: Places, *, but: Collection[str] = ()) -> None:
    """Give places the attributes with which they have arrived, as far as this user may.

    A place that the train has replaced by something else is left alone, and so is everything in it:
    a link could lead anywhere. No process of the train may be left.

    Args:
        opt: the folder that the paths are relative to.
        places: as `record` has returned them.
        but: names in `opt` to leave out, with everything in them.
    """
    as_arrived = {""}
    for name in sorted(places):  # folders before what is in them
        is_meant = name.partition("/")[0] not in but and os.path.dirname(name) in as_arrived
        if is_meant and _set(opt / name, places[name]):
            as_arrived.add(name)


def _set(path: Path, place: Attributes) -> bool:
    """Set the attributes of a file or folder; return False if it is of another kind, or gone."""
    try:
        info = path.lstat()
    except FileNotFoundError:
        return False
    if stat.S_IFMT(info.st_mode) != stat.S_IFMT(place.mode):
        return False
    if (info.st_mode, info.st_uid, info.st_gid) != place:
        restore_attributes(path, *place, info.st_mtime_ns)
    return True

"""Checks that the train lies where this user can replace it, before anything is written."""

import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from entrypoint.errors import SettingsError
from entrypoint.files.attributes import Attributes
from entrypoint.files.tree import walk
from entrypoint.linux.access import (
    can_replace,
    first_irreplaceable,
    first_unsettable_owner,
    is_unmapped,
    may_write,
)
from entrypoint.linux.mounts import is_mount_point, mount_of, mounts_below
from entrypoint.linux.shared_memory import keeps_files_in_memory
from entrypoint.linux.user import this_user
from entrypoint.model import Paths
from entrypoint.recovery.journal import SavedFile
from entrypoint.recovery.work_folder import WorkFolder
from entrypoint.report import Report
from entrypoint.train_config.file import read_user_key


def check_replaceable(paths: Paths) -> None:
    """Check that this user can replace the files that a commit replaces.

    Raises:
        SettingsError: one of them cannot be replaced.
    """
    for path in (paths.config, paths.user_key):
        if os.path.lexists(path) and not can_replace(path):
            raise _bad_place(f"{this_user()} cannot replace {path}")


def check_place(paths: Paths, works: Sequence[WorkFolder], *, in_container: bool) -> None:
    """Check that the file systems of a train let a visit open, seal and restore it.

    Args:
        paths: of the train.
        works: the work folders of the trees that the visit opens.
        in_container: whether a file system in memory vanishes with the container.

    Raises:
        SettingsError: they do not.
    """
    for path in (paths.config, paths.user_key):
        if not path.exists():
            continue
        if is_mount_point(path):
            raise _bad_place(f"{path} is a mount of its own and cannot be replaced")
        if not path.is_file():
            raise _bad_place(f"{path} is not a file")
        if mount_of(path).idmapped and is_unmapped(path):
            raise _unmapped(path)
    if in_container:
        check_persistent(paths.config, *(work.tree for work in works if work.tree.is_dir()))
    for work in works:
        if work.tree.is_dir():
            _check_tree(work)


def check_persistent(*places: Path) -> None:
    """Check that files and folders of a container are kept after its end.

    Raises:
        SettingsError: one of them is in memory, or in an overlay that no engine reads.
    """
    for place in places:
        if where := _volatile_storage(place):
            raise SettingsError(
                "place-unsuitable",
                f"{place} is {where} and vanishes with the container",
                hint="give the container a volume at /opt; where the host seals the train, keep it "
                "in the container itself, and start runsc with --overlay2=none",
            )


def _volatile_storage(place: Path) -> str:
    """Return the storage of a file or folder, in words, if it is lost with the container."""
    mount, parent = mount_of(place), place.parent
    # A new file changes the time of its folder, so the train's own is tried only if need be.
    use_parent = mount_of(parent).id == mount.id and may_write(parent)
    if mount.has_lower_layers and keeps_files_in_memory(parent if use_parent else place):
        return "in memory, the upper layer of an overlay,"
    return mount.volatile_storage


def _check_tree(work: WorkFolder) -> None:
    tree = work.tree
    if mounts := mounts_below(tree):
        raise _bad_place(f"there is a mount inside {tree}: {mounts[0]}")
    mount = mount_of(tree)
    if mount.idmapped:
        for owned, _, _ in _owners(work):
            if is_unmapped(Path(owned)):
                raise _unmapped(owned)
    if path := first_irreplaceable(tree, work.leave_out):
        raise _bad_place(f"{this_user()} may not read and replace {path}")


def read_saved_user_key(paths: Paths) -> SavedFile | None:
    """Return the user's envelope with its attributes, for the journal; None if there is none.

    Raises:
        SettingsError: this user may not read it.
    """
    path = paths.user_key
    try:
        contents = read_user_key(paths)
    except PermissionError:
        raise _bad_place(f"{this_user()} may not read {path}") from None
    return None if contents is None else SavedFile(contents, Attributes.of(path))


def warn_of_owners(
    paths: Paths, attributes: Attributes, works: Sequence[WorkFolder], report: Report
) -> None:
    """Log the first file that will get another owner, since this user may not give files away.

    Args:
        paths: of the train.
        attributes: of its configuration as it arrived.
        works: the work folders of the trees that the visit opens.
        report: takes the warning.
    """
    _, uid, gid = attributes
    for work in works:
        files = chain([(str(paths.config), uid, gid)], _owners(work))
        if lost := first_unsettable_owner(files, work.path / "owner"):
            path, uid, gid = lost
            report.warning(
                f"{path} belongs to {uid}:{gid}, but {this_user()} may not give files to "
                "this owner here: its replacement will have another owner; if that matters, "
                "give the container the right to (--cap-add CHOWN)"
            )
            return


def warn_of_empty_dir(paths: Paths, report: Report) -> None:
    """Log that the train lies on a volume that is deleted with its pod, if it does."""
    for path in (paths.config, paths.results):
        if path.exists() and mount_of(path).is_empty_dir:
            report.warning(
                f"{path} is on an emptyDir volume, which Kubernetes deletes with the pod, and the "
                "sealed train with it: mount a claim at /opt, or let PHT_EXPORT name a file on one"
            )
            return


def _owners(work: WorkFolder) -> Iterator[tuple[str, int, int]]:
    """Yield every path of a tree with its owner and group."""
    if work.tree.is_dir():
        info = work.tree.stat()
        yield str(work.tree), info.st_uid, info.st_gid
        for entry in walk(work.tree, leave_out=work.leave_out):
            yield f"{work.tree}/{entry.path}", entry.stat.st_uid, entry.stat.st_gid


def _unmapped(path: str | Path) -> SettingsError:
    return _bad_place(
        f"the owner of {path} is not mapped on this idmapped mount, so nobody can replace the file"
    )


def _bad_place(problem: str) -> SettingsError:
    return SettingsError(
        "place-unsuitable",
        problem,
        hint="keep the train on the container's own file system, or on a volume at /opt, which "
        "--read-only needs; and let the container's user write there",
    )

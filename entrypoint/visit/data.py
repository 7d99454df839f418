"""Checks the station's data before anything of the train is decrypted."""

import os
from contextlib import suppress
from itertools import islice
from pathlib import Path

from entrypoint.errors import MissingInput
from entrypoint.limits import DATA_ENTRIES
from entrypoint.linux.access import may_read
from entrypoint.linux.selinux import selinux_hint
from entrypoint.linux.user import host_uid, this_user
from entrypoint.report import Report
from entrypoint.settings.redaction import can_be_shown, name_and_value
from entrypoint.settings.settings import Settings

_LOST_AND_FOUND = "lost+found"
"""A folder of the file system itself, which only root may read and which holds no data."""


def check_data(settings: Settings, report: Report) -> None:
    """Check that the train can read its data; warn of unreadable files and an empty folder.

    Raises:
        MissingInput: TRAIN_DATA_PATH leads to nothing that this user may read.
    """
    name = settings.values.get("TRAIN_DATA_PATH")
    if name is None:
        return
    check_readable(name)
    data = Path(name)
    if path := unreadable_in(data):  # perhaps it is not meant for this train
        report.warning(
            f"the train runs as {this_user()}, gid {os.getgid()}, and cannot read {path}: "
            "give it access on the host if it needs this file"
        )
    if _is_empty_folder(data):
        report.warning(
            f"TRAIN_DATA_PATH leads to an empty folder, {data}: Docker makes one "
            "where --volume has a source that does not exist; check the source"
        )


def check_readable(name: str) -> None:
    """Check that this process's user can read a file, or list and enter a folder.

    Args:
        name: the value of TRAIN_DATA_PATH.

    Raises:
        MissingInput: it does not exist, or this user may not read it.
    """
    if not name:
        raise MissingInput(
            "data-missing",
            "TRAIN_DATA_PATH is set, but empty",
            hint="set it to the path of the data in the container, or leave it out",
        )
    data = Path(name)
    try:
        readable = may_read(data)
    except OSError as error:
        raise _nothing_there(name, (error.strerror or "").lower()) from None
    if not readable:
        uid = host_uid(os.getuid())
        raise MissingInput(
            "data-unreadable",
            f"the train runs as {this_user()}, gid {os.getgid()}, and cannot read "
            + name_and_value("TRAIN_DATA_PATH", name),
            hint=f"on the host give uid {uid} access to the data and the folders above it, "
            f"for example with setfacl -R -m u:{uid}:rX FOLDER{selinux_hint()}",
        )


def unreadable_in(data: Path) -> Path | None:
    """Return the first entry of a folder that this process's user may not read, None without one.

    Only the first DATA_ENTRIES are checked, and none whose name begins with a dot.
    """
    for path in _directly_in(data):
        with suppress(OSError):  # a link to nowhere
            if not may_read(path):
                return path
    return None


def _is_empty_folder(path: Path) -> bool:
    """Return whether a path that this user may read leads to an empty folder."""
    return path.is_dir() and not any(path.iterdir())


def _nothing_there(name: str, why: str) -> MissingInput:
    """Return the error for a TRAIN_DATA_PATH that leads to nothing."""
    if not can_be_shown(name):
        return MissingInput(
            "data-missing",
            "TRAIN_DATA_PATH leads to nothing; it is not shown, since it is not plainly a path "
            "and may hold a password",
            hint="mount the data and set it to their path in the container, which begins with /; "
            "an address for the train goes into a variable of another name",
        )
    return MissingInput(
        "data-missing",
        f"TRAIN_DATA_PATH leads to nothing: {name}: {why}",
        hint="mount the data at this path, or correct the path",
    )


def _directly_in(data: Path) -> list[Path]:
    """Return the entries of a folder that may be data, sorted; nothing if it is not a folder."""
    if not data.is_dir():
        return []
    found = sorted(islice(data.iterdir(), DATA_ENTRIES))
    return [path for path in found if path.name[0] != "." and path.name != _LOST_AND_FOUND]

"""Finds the folder of the station's ledger, and checks that it is one."""

import os
from pathlib import Path

from entrypoint.errors import SettingsError
from entrypoint.linux.access import may_write
from entrypoint.linux.mounts import hides_another, is_mount_point, mount_of
from entrypoint.linux.user import this_user

_OTHERS = 0o007


def find_ledger(folder: Path, *, in_container: bool) -> Path | None:
    """Return the folder of the station's ledger, None if the station has none.

    In a container it is a mount. A folder of the image, and its VOLUME, are the image's own: what
    they say is none of the station's knowledge, and is lost with the container.

    Args:
        folder: where it would be.
        in_container: whether an image could have put something there.

    Raises:
        SettingsError: it cannot be used as one.
    """
    if not os.path.lexists(folder) or (in_container and not _is_of_station(folder)):
        return None
    if not folder.is_dir():
        raise _unusable(f"{folder} is not a folder", "mount a folder of the station there")
    if in_container:
        _check_mount(folder)
    if folder.stat().st_mode & _OTHERS:
        raise _unusable(
            f"{folder} is open to every user, so a train could change it",
            "on the host use chmod o-rwx on this folder",
        )
    if not may_write(folder):
        raise _unusable(
            f"{this_user()} may not write to {folder}",
            "mount it writable, and let this user write to it on the host",
        )
    return folder


def _is_of_station(folder: Path) -> bool:
    return is_mount_point(folder) and not mount_of(folder).is_anonymous_volume


def _check_mount(folder: Path) -> None:
    if where := mount_of(folder).volatile_storage:
        raise _unusable(
            f"{folder} is {where} and vanishes with the container",
            "mount a folder of the host or a named volume there; if runsc lays its overlay over "
            "that too, start it with --overlay2=none",
        )
    if hides_another(folder):
        raise _unusable(
            f"more than one folder is mounted at {folder}",
            "mount only the ledger there; if you did, a link in the image leads another mount "
            "there: do not use this image",
        )


def _unusable(problem: str, hint: str) -> SettingsError:
    return SettingsError("ledger-unusable", problem, hint=hint)

"""The station folder: its mount, its files, and the variables in its `station.env`."""

import os
from pathlib import Path

from entrypoint.errors import SettingsError
from entrypoint.files.bounded import read_bounded
from entrypoint.limits import SETTINGS_BYTES
from entrypoint.linux.mounts import hides_another, is_mount_point, mount_of
from entrypoint.linux.selinux import selinux_hint
from entrypoint.linux.user import host_uid, this_user
from entrypoint.settings import station_env
from entrypoint.settings.names import ENV_FILE, TRUST_FILE
from entrypoint.trust import anchors


def read_variables(folder: Path) -> dict[str, str]:
    """Return the variables of `station.env`; none if the folder or the file is missing.

    Raises:
        SettingsError: the file cannot be read or is malformed.
    """
    path = folder / ENV_FILE
    return station_env.parse(path, _contents(path))


def read_pins(folder: Path) -> anchors.Pins:
    """Return the keys that the file `trust` pins; none if the folder or the file is missing.

    Raises:
        SettingsError: the file cannot be read or is malformed.
    """
    path = folder / TRUST_FILE
    return anchors.parse(path, _contents(path))


def _contents(path: Path) -> bytes:
    """Return the contents of a file of the station folder; nothing if it is not there."""
    return read_file(path, str(path)) if path in list_files(path.parent) else b""


def check_mount(folder: Path) -> None:
    """Check that no image can have filled or hidden the station folder of a container.

    Raises:
        SettingsError: it has files and is not a read-only mount, or hides another one.
    """
    if not is_filled(folder):
        return
    if not (is_mount_point(folder) and mount_of(folder).read_only):
        raise SettingsError(
            "station-folder-writable",
            f"{folder} is not a read-only mount, so the image could have filled it",
            hint="mount the station folder with -v /etc/pht:/run/pht:ro",
        )
    if hides_another(folder):
        raise SettingsError(
            "setting-twice",
            f"more than one folder is mounted at {folder}: another one may hide the station folder",
            hint="mount only the station folder there; if you did, a link in the image leads "
            "another mount there: do not use this image",
        )


def is_filled(folder: Path) -> bool:
    """Return whether the folder exists and has anything in it."""
    return bool(list_files(folder))


def list_files(folder: Path) -> list[Path]:
    """Return the entries of the station folder, sorted; none if there is no such folder.

    Leaves out the folders in which a projected volume of Kubernetes keeps its versions (`..data`).
    """
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
    except PermissionError:
        raise _access_denied(str(folder)) from None
    return [path for path in found if not path.name.startswith("..")]


def exists(path: Path) -> bool:
    """Return whether anything has this name, even a folder or a dangling link.

    Engines make a folder where the source of a mount is missing. Reading it is then an error, where
    `is_file` would pass over it silently.
    """
    return os.path.lexists(path)


def read_file(path: Path, description: str) -> bytes:
    """Return the contents of a small file, which messages call by its description."""
    try:
        return read_bounded(path, SETTINGS_BYTES)
    except PermissionError:
        raise _access_denied(description) from None
    except OSError as error:
        problem = (error.strerror or "it is unreadable").lower()
    raise SettingsError(
        "setting-unreadable",
        f"cannot read {description}: {problem}",
        hint="check the path, and that a file of the station lies there",
    )


def _access_denied(description: str) -> SettingsError:
    uid = host_uid(os.getuid())
    return SettingsError(
        "setting-unreadable",
        f"the runner, started as {this_user()}, gid {os.getgid()}, may not read {description}",
        hint=f"on the host give uid {uid} access to it and to the folders above it, for example "
        f"with setfacl -m u:{uid}:rX PATH{selinux_hint()}",
    )

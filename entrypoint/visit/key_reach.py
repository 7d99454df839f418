"""Checks that the train cannot reach the station's key by a way that its sandbox leaves open."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from entrypoint.errors import SettingsError
from entrypoint.linux.access import may_read
from entrypoint.linux.ancestors import ancestors, erase_variables
from entrypoint.linux.mounts import shown_elsewhere
from entrypoint.process.credentials import Credentials
from entrypoint.process.stop import StopRequest
from entrypoint.settings.held_key import HeldValue
from entrypoint.settings.names import SECRET_VALUES
from entrypoint.settings.settings import Settings
from entrypoint.settings.station_folder import is_filled
from entrypoint.visit.protection import uses_landlock
from entrypoint.visit.session import Session
from entrypoint.visit.train_reach import ask_as


def check_key_reach(session: Session, credentials: Credentials) -> bool:
    """Return whether the key is out of the train's reach; a station may allow that it is not.

    Args:
        session: of the visit.
        credentials: of the train.

    Raises:
        SettingsError: the train could reach the key, and the station does not allow it.
    """
    error = (
        _in_environment(session.settings)
        or _in_memory(session, credentials)
        or _in_file(session, credentials)
    )
    if error is None:
        return True
    if not session.settings.allow_unprotected_key:
        raise error
    session.report.warning(f"PHT_ALLOW_UNPROTECTED_KEY=1: {error.message}")
    return False


def check_read_twice(settings: Settings) -> None:
    """Refuse a key that cannot be read before and after the train runs.

    Raises:
        SettingsError: it lies in a FIFO or a device.
    """
    for path in _existing(settings):
        if _is_read_once(path):
            raise SettingsError(
                "private-key-unusable",
                f"the private key or its password in {path} cannot be read a second time, after "
                "the train has run",
                hint="put it into a regular file",
            )


def _is_read_once(path: Path) -> bool:
    mode = path.stat().st_mode
    is_device = stat.S_ISCHR(mode) and not path.samefile(os.devnull)
    return is_device or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _in_environment(settings: Settings) -> SettingsError | None:
    """Erase the key from the environments of the processes above this one, such as `docker-init`.

    Without a container these are processes of the operator, which a train there could always read.
    """
    if not settings.in_container:
        return None
    holders = [pid for pid in ancestors() if not erase_variables(pid, SECRET_VALUES)]
    if not holders:
        return None
    pid = holders[0]
    return SettingsError(
        "key-reachable",
        f"the train could read the key in the environment of process {pid}",
        hint="give the key as a file in the station folder, or start the container without --init",
    )


def _in_memory(session: Session, credentials: Credentials) -> SettingsError | None:
    """Try to open the memory in which a key of a variable waits, as the train could.

    Linux forbids that, since the runner is not dumpable; gVisor lets it depend on the mode alone.
    """
    variables = session.settings.key_settings.variables.values()
    held = [value.descriptor for value in variables if isinstance(value, HeldValue)]
    if not any(held) or uses_landlock(credentials):
        return None
    files = [Path(f"/proc/{os.getpid()}/fd/{descriptor}") for descriptor in held if descriptor]

    def question() -> Mapping[str, Any]:
        return {"open": any(map(_opens, files))}

    if not ask_as(credentials, question, session.stop)["open"]:
        return None
    return SettingsError(
        "key-reachable",
        f"the train could read the key in the memory of the runner as uid {credentials.uid}, since "
        "this kernel or engine, such as gVisor, does not protect the open files of a process",
        hint="give the key as a file in the station folder that only root may read, and start the "
        "container as root with the options that docs/station.md recommends",
    )


def _opens(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _in_file(session: Session, credentials: Credentials) -> SettingsError | None:
    files = _existing(session.settings)
    folder = session.settings.paths.station  # its station.env decides about the next start
    for path in [*files, *([folder] if is_filled(folder) else [])]:
        if mount := shown_elsewhere(path):
            return SettingsError(
                "key-reachable",
                f"the train could read {path} below {mount} too",
                hint="mount the folder with the key only once, and no folder above it",
            )
    if not files or uses_landlock(credentials):
        return None
    readable = _open_to(credentials, files, session.stop)
    if not readable:
        return None
    file = readable[0]
    return SettingsError(
        "key-reachable",
        f"the train could read {file} as uid {credentials.uid}, since this kernel or "
        "engine has no Landlock that hides it",
        hint="on the host let only root read this file, and start the container as root with the "
        "options that docs/station.md recommends; or use Linux 5.19 and Docker 20.10.18 or newer, "
        "which have Landlock",
    )


def _open_to(credentials: Credentials, files: list[Path], stop: StopRequest) -> list[str]:
    """Return the files that the train may read, or may open to itself as their owner."""
    own = [str(path) for path in files if path.stat().st_uid == credentials.uid]

    def question() -> Mapping[str, Any]:
        return {"open": [str(path) for path in files if may_read(path)]}

    return [*own, *ask_as(credentials, question, stop)["open"]]


def _existing(settings: Settings) -> list[Path]:
    return [path for path in settings.key_settings.files() if os.path.exists(path)]

"""Checks that the train cannot reach the station's key by a way that its sandbox leaves open."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from entrypoint.errors import SettingsError
from entrypoint.linux.ancestors import ancestors, erase_variables
from entrypoint.linux.mounts import shown_elsewhere
from entrypoint.report import Report
from entrypoint.settings.names import SECRET_VALUES
from entrypoint.settings.settings import Settings


def check_key_reach(
    settings: Settings, report: Report, *, may_read: Callable[[Path], bool] | None
) -> bool:
    """Return whether the key is out of the train's reach.

    Args:
        settings: of the station.
        report: takes a warning where PHT_ALLOW_UNPROTECTED_KEY lets the train run all the same.
        may_read: whether the train's user may read a file; None if Landlock hides those of the key.

    Raises:
        SettingsError: the train could reach the key, and may not.
    """
    error = _in_environment(settings) or _in_file(settings, may_read)
    if error is None:
        return True
    if not settings.allow_unprotected_key:
        raise error
    report.warning(f"PHT_ALLOW_UNPROTECTED_KEY=1: {error.message}")
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
    return SettingsError(
        "key-reachable",
        f"the train could read the key in the environment of process {holders[0]}",
        hint="give the key as a file in the station folder, or start the container without --init",
    )


def _in_file(settings: Settings, may_read: Callable[[Path], bool] | None) -> SettingsError | None:
    for path in _existing(settings):
        if mount := shown_elsewhere(path):
            return SettingsError(
                "key-reachable",
                f"the train could read {path} below {mount} too",
                hint="mount the folder with the key only once, and no folder above it",
            )
        if may_read and may_read(path):
            return SettingsError(
                "key-reachable",
                f"the train's user could read {path}, which Landlock does not hide here",
                hint="on the host take the rights to this file from everybody but its owner, or "
                "use a kernel and an engine that allow Landlock",
            )
    return None


def _existing(settings: Settings) -> list[Path]:
    return [path for path in settings.key_settings.files() if os.path.exists(path)]

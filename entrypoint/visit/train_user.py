"""Chooses the user, groups and capabilities of the train's process."""

import os
from collections.abc import Iterator
from pathlib import Path

from entrypoint.errors import SettingsError
from entrypoint.linux.capabilities import Capability, held
from entrypoint.linux.user import (
    groups_of_root,
    has_group,
    has_user,
    may_give_files,
    may_set_groups,
)
from entrypoint.process.credentials import Credentials
from entrypoint.report import Report
from entrypoint.settings.settings import Settings
from entrypoint.settings.station_folder import list_files

_TRAIN = (10001, 10001)
"""User and group of a train, which own nothing in an image or on a host."""

_ON_FILES = {Capability.CHOWN, Capability.DAC_OVERRIDE, Capability.FOWNER}
_NEEDED = _ON_FILES | {Capability.KILL, Capability.SETGID, Capability.SETUID}
"""Needed to run the train as another user, to end it, and to prepare and restore its files."""


def train_credentials(settings: Settings, report: Report) -> Credentials:
    """Return the credentials of a train: another user's if possible, and no capabilities.

    Args:
        settings: of the station.
        report: takes the reason why there can be no other user.

    Raises:
        SettingsError: the station asks for a user that the runner cannot become.
    """
    own = (os.getuid(), os.getgid())
    wanted = settings.train_user or (own if os.getuid() else _TRAIN)
    obstacle = "" if wanted == own else _obstacle(*wanted)
    if obstacle and settings.train_user:
        raise SettingsError(
            "train-user-impossible",
            f"the train cannot run as the user in PHT_TRAIN_USER: {obstacle}",
            hint="start the container as root with the options that docs/station.md recommends, "
            "or remove PHT_TRAIN_USER",
        )
    if obstacle:
        report.info(f"the train has no user of its own: {obstacle}")
    uid, gid = own if obstacle else wanted
    return Credentials(uid=uid, gid=gid, groups=_groups(settings))


def host_driven_credentials(settings: Settings) -> Credentials:
    """Return the credentials of a train in a visit without a key: this user's, with its files.

    Raises:
        SettingsError: the station asks for another user.
    """
    own = (os.getuid(), os.getgid())
    if settings.train_user not in (None, own):
        raise SettingsError(
            "train-user-impossible",
            "in a host-driven visit the train runs as the container's own user",
            hint="remove PHT_TRAIN_USER, or start the container with --user",
        )
    uid, gid = own
    keeps = held() & _ON_FILES
    return Credentials(uid=uid, gid=gid, groups=tuple(os.getgroups()), keeps=keeps)


def _obstacle(uid: int, gid: int) -> str:
    """Return why the runner cannot run a train as this user, "" if it can."""
    if os.getuid() != 0:
        return "the runner is not root"
    if missing := sorted(_NEEDED - held()):
        return f"the runner lacks {', '.join(capability.name for capability in missing)}"
    if not (has_user(uid) and has_group(gid) and may_set_groups()):
        return f"the user namespace does not map {uid}:{gid}, or forbids to set groups"
    if not may_give_files(uid, gid):
        return "a seccomp profile forbids to give files to another user"
    return ""


def _groups(settings: Settings) -> tuple[int, ...]:
    """Return the supplementary groups that the operator has added, as far as these can be told.

    Without root's own and those that open the station's folders; all where they cannot be changed.
    """
    groups = os.getgroups()
    left_out = {0, *groups_of_root(), *_opening_groups(settings)}
    if not left_out & {*groups} or Capability.SETGID not in held() or not may_set_groups():
        return tuple(groups)
    return tuple(gid for gid in groups if gid not in left_out and has_group(gid))


def _opening_groups(settings: Settings) -> Iterator[int]:
    """Yield groups with more access than everybody has to the station folder, a key, the ledger."""
    keys = settings.key_settings.files()
    folder, ledger = settings.paths.station, settings.paths.ledger
    for path in (folder, *list_files(folder), *keys, *(key.parent for key in keys), ledger):
        if info := _stat(path):
            of_group, of_others = info.st_mode >> 3 & 7, info.st_mode & 7
            if of_group & ~of_others:
                yield info.st_gid


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None

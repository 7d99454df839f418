"""Checks which files the train's user may use, in a process that has become this user.

The mode of a file is not enough: access lists, user namespaces and file servers decide too.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from entrypoint.errors import SystemFailure
from entrypoint.limits import DATA_ENTRIES
from entrypoint.linux.access import may_read, may_write
from entrypoint.linux.capabilities import Capability, has_ambient_set, held
from entrypoint.linux.mounts import mounts_below
from entrypoint.process.credentials import Credentials
from entrypoint.process.fork import ask
from entrypoint.process.start import find_program
from entrypoint.process.stop import StopRequest
from entrypoint.settings.settings import Settings
from entrypoint.visit.session import Session

_NO_DATA = ("/dev", "/etc", "/proc", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var/lib/pht")
"""Folders in which mounts of the engine lie, or of the station for the runner."""

_LOST_AND_FOUND = "lost+found"
"""A folder of the file system itself, which only root may read and which holds no data."""


def ask_as(
    credentials: Credentials, question: Callable[[], Mapping[str, Any]], stop: StopRequest
) -> Mapping[str, Any]:
    """Return the answer of a process with these credentials.

    Args:
        credentials: of the train.
        question: returns what JSON can hold.
        stop: notes a request that arrives meanwhile.

    Raises:
        SystemFailure: no process can have these credentials.
    """

    def answer() -> Mapping[str, Any]:
        credentials.become()
        return question()

    found = ask(answer, stop)
    if found is None:
        raise SystemFailure(
            "train-user-failed",
            f"no process can be made that runs as uid {credentials.uid}, gid {credentials.gid}",
            hint="look whether memory ran out or a seccomp profile forbids setuid(2) or capset(2); "
            "start again",
        )
    return found


def with_dac_override(credentials: Credentials) -> Credentials | None:
    """Return the credentials with DAC_OVERRIDE, None if the train cannot get it.

    A train that runs as the runner's own user gets none: that user may own the files to protect.
    """
    has_it = Capability.DAC_OVERRIDE in held() and has_ambient_set()
    if credentials.uid == os.getuid() or not has_it:
        return None
    return replace(credentials, keeps=credentials.keeps | {Capability.DAC_OVERRIDE})


def needs_dac_override(
    session: Session, credentials: Credentials, command: Sequence[str]
) -> Path | None:
    """Return a path that a train may only use with DAC_OVERRIDE, None if it needs none.

    Checks the data, the train's files, its results and its interpreter, after the train was opened.
    Where DAC_OVERRIDE does not help, as on a network file system, it is not needed.

    Args:
        session: of the visit.
        credentials: of the train.
        command: of the train.
    """
    overriding = with_dac_override(credentials)
    if overriding is None:
        return None
    program = _program(command, session.settings.train_environment())

    def question() -> Mapping[str, Any]:
        return {"closed": [*map(str, _closed(session, program))]}

    closed = ask_as(credentials, question, session.stop)["closed"]
    if not closed:
        return None
    still = {*ask_as(overriding, question, session.stop)["closed"]}
    return next((Path(path) for path in closed if path not in still), None)


def usable_credentials(
    session: Session, credentials: Credentials, *, may_override: bool
) -> Credentials:
    """Return the credentials, or this user's where only that user may enter the root folder.

    That is so if a folder above it is closed, as those that `simulate` makes for root. The train's
    own files are made readable for it later. The station's own choice of a user stays.

    Args:
        session: of the visit.
        credentials: of the train.
        may_override: whether the train gets DAC_OVERRIDE if it needs that.
    """
    own = replace(credentials, uid=os.getuid(), gid=os.getgid())
    if may_override or own.uid == credentials.uid or session.settings.train_user:
        return credentials

    def question() -> Mapping[str, Any]:
        return {"enters": os.access(session.paths.root, os.X_OK)}

    if ask_as(credentials, question, session.stop)["enters"]:
        return credentials
    return own if ask_as(own, question, session.stop)["enters"] else credentials


def unreadable_in(folder: Path, *, is_data: bool = True) -> Iterator[Path]:
    """Yield the entries of a folder and the folders in it that this process's user may not read.

    Only the first DATA_ENTRIES are checked, and links are not entered.

    Args:
        folder: may also be a file, which has none.
        is_data: whether to pass over names that hold no data: with a dot, and lost+found.
    """
    for path in _entries(folder):
        if is_data and (path.name[0] == "." or path.name == _LOST_AND_FOUND):
            continue
        with suppress(OSError):  # a link to nowhere
            if not may_read(path):
                yield path


def _closed(session: Session, program: str | None) -> Iterator[Path]:
    """Yield paths that the user of this process may not use as a train does."""
    for place in _data_places(session.settings):
        yield from _closed_to_readers(place, is_data=True)
    yield from _closed_to_readers(session.paths.train, is_data=False)
    results = session.paths.results
    for path in (results, *_entries(results)):
        with suppress(OSError):
            if not path.is_symlink() and not may_write(path):
                yield path
    if program and not os.access(program, os.X_OK):
        yield Path(program)


def _closed_to_readers(place: Path, *, is_data: bool) -> Iterator[Path]:
    """Yield a file or folder and the entries in it that this process's user may not read."""
    with suppress(OSError):  # nothing is there
        if not may_read(place):
            yield place
    yield from unreadable_in(place, is_data=is_data)


def _data_places(settings: Settings) -> list[Path]:
    """Return where the station may have put data: in a container also its other mounts."""
    paths, name = settings.paths, settings.values.get("TRAIN_DATA_PATH")
    places = [*([Path(name)] if name else []), paths.data]
    if settings.in_container:
        others = [*settings.key_settings.files(), *([settings.export] if settings.export else [])]
        places += [
            point
            for point in mounts_below(Path("/"))
            if not any(map(point.is_relative_to, _NO_DATA))
            and point != paths.opt
            and not any(path.is_relative_to(point) for path in others)
        ]
    return [*dict.fromkeys(places)]


def _program(command: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Return the program of a command; None if there is none, which its start reports."""
    try:
        return os.path.abspath(find_program(command[0], environment))
    except FileNotFoundError:
        return None


def _entries(folder: Path) -> Iterator[Path]:
    """Yield the first entries of a folder and of the folders in it, level by level."""
    left, folders = DATA_ENTRIES, deque([folder])
    while left > 0 and folders:
        with suppress(OSError), os.scandir(folders.popleft()) as listing:  # no folder, or closed
            found = sorted(islice(listing, left), key=lambda entry: entry.name)
            left -= len(found)
            yield from (Path(entry.path) for entry in found)
            folders += [Path(entry.path) for entry in found if entry.is_dir(follow_symlinks=False)]

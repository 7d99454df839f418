"""Checks the station's data before anything of the train is decrypted."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from entrypoint.errors import MissingInput
from entrypoint.linux.access import may_read
from entrypoint.linux.selinux import selinux_hint
from entrypoint.linux.user import host_uid, user_in_words
from entrypoint.process.credentials import Credentials
from entrypoint.settings.redaction import can_be_shown, name_and_value
from entrypoint.visit.session import Session
from entrypoint.visit.train_reach import ask_as, unreadable_in, with_dac_override


def check_data(session: Session, credentials: Credentials, *, may_override: bool) -> None:
    """Check that the train can read its data; warn of unreadable files and an empty folder.

    Args:
        session: of the visit.
        credentials: of the train.
        may_override: whether the train gets DAC_OVERRIDE if it needs that to read its data.

    Raises:
        MissingInput: TRAIN_DATA_PATH leads to nothing that the train may read.
    """
    name = session.settings.values.get("TRAIN_DATA_PATH")
    if name is None:
        return
    check_exists(name)
    found = _look(session, name, credentials)
    overriding = with_dac_override(credentials) if may_override else None
    if overriding and (found["closed"] or found["unreadable"]):
        found = _look(session, name, overriding)
    if found["closed"]:
        raise _unreadable(name, credentials)
    if found["unreadable"]:  # perhaps it is not meant for this train
        session.report.warning(
            f"the train runs as {user_in_words(credentials.uid)}, gid {credentials.gid}, and "
            f"cannot read {found['unreadable']}: give it access on the host if it needs this file"
        )
    if found["empty"]:
        session.report.warning(
            f"TRAIN_DATA_PATH leads to an empty folder, {name}: Docker makes one "
            "where --volume has a source that does not exist; check the source"
        )


def check_exists(name: str) -> None:
    """Check that the value of TRAIN_DATA_PATH leads to something.

    Raises:
        MissingInput: it is empty or leads to nothing.
    """
    if not name:
        raise MissingInput(
            "data-missing",
            "TRAIN_DATA_PATH is set, but empty",
            hint="set it to the path of the data in the container, or leave it out",
        )
    try:
        may_read(Path(name))
    except OSError as error:
        raise _nothing_there(name, (error.strerror or "").lower()) from None


def _look(session: Session, name: str, credentials: Credentials) -> Mapping[str, Any]:
    """Return what a train with these credentials finds in its data.

    Returns:
        closed: whether it may not read the data as a whole.
        unreadable: the first entry that it may not read, or None.
        empty: whether it is an empty folder.
    """
    data = Path(name)

    def question() -> Mapping[str, Any]:
        with suppress(OSError):  # of a network file system that does not answer this user
            if may_read(data):
                unreadable = next(unreadable_in(data), None)
                return {
                    "closed": False,
                    "unreadable": unreadable and str(unreadable),
                    "empty": data.is_dir() and not any(data.iterdir()),
                }
        return {"closed": True, "unreadable": None, "empty": False}

    return ask_as(credentials, question, session.stop)


def _unreadable(name: str, credentials: Credentials) -> MissingInput:
    """Return the error for data that the train may not read."""
    uid, owner = host_uid(credentials.uid), _other_owner(name, credentials)
    return MissingInput(
        "data-unreadable",
        f"the train runs as {user_in_words(credentials.uid)}, gid {credentials.gid}, and cannot "
        f"read {name_and_value('TRAIN_DATA_PATH', name)}",
        hint=f"on the host give uid {uid} access to the data and the folders above it, "
        f"for example with setfacl -R -m u:{uid}:rX FOLDER{selinux_hint()}"
        + (
            ""
            if owner is None
            else f"; or put PHT_TRAIN_USER={owner}, their owner, into station.env"
        ),
    )


def _other_owner(name: str, credentials: Credentials) -> int | None:
    """Return the owner of the data, None if unknown or if the train cannot run as this user."""
    try:
        owner = os.stat(name).st_uid
    except OSError:
        return None
    return None if credentials.uid in (os.getuid(), owner) else owner


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

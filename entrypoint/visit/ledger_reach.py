"""Checks that the train can neither read nor write the station's ledger."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from entrypoint.errors import SettingsError
from entrypoint.linux.access import may_read, may_write
from entrypoint.linux.mounts import shown_elsewhere
from entrypoint.process.credentials import Credentials
from entrypoint.visit.protection import uses_landlock
from entrypoint.visit.session import Session
from entrypoint.visit.train_reach import ask_as


def check_ledger_reach(session: Session, credentials: Credentials) -> None:
    """Check that the ledger, if the station has one, is out of the train's reach.

    Args:
        session: of the visit.
        credentials: of the train.

    Raises:
        SettingsError: the train could reach it.
    """
    folder = session.settings.ledger
    if folder is None:
        return
    if mount := shown_elsewhere(folder):
        raise SettingsError(
            "ledger-reachable",
            f"the train could reach {folder} below {mount} too",
            hint="mount the ledger only once, and no folder above it",
        )
    if not uses_landlock(credentials) and _is_open_to(credentials, folder, session):
        raise SettingsError(
            "ledger-reachable",
            f"the train could reach {folder} as uid {credentials.uid}, since this kernel or "
            "engine has no Landlock that hides it",
            hint="on the host let only root use this folder, and start the container as root with "
            "the options that docs/station.md recommends; or use Linux 5.19 and Docker 20.10.18 or "
            "newer, which have Landlock; or mount no ledger",
        )


def _is_open_to(credentials: Credentials, folder: Path, session: Session) -> bool:
    """Return whether the train may use the folder, or open it to itself as its owner."""

    def question() -> Mapping[str, Any]:
        return {"open": may_read(folder) or may_write(folder)}

    is_own = folder.stat().st_uid == credentials.uid
    return is_own or bool(ask_as(credentials, question, session.stop)["open"])

"""The ledger in a visit: refuses a replay before anything changes, and records what boards.

A state boards only once its results are verified, so that no forged one ever enters the ledger.
"""

from contextlib import suppress

from entrypoint.errors import RouteError, SettingsError
from entrypoint.train_config import TrainConfig
from entrypoint.trust.ledger import Ledger
from entrypoint.visit.session import Session

_CHECKED, _ALLOWED = "checked", "allowed"


def refuse_replay(session: Session, config: TrainConfig) -> None:
    """Check a verified train against the ledger, if the station has one; writes nothing.

    Args:
        session: of the command.
        config: of the train.

    Raises:
        RouteError: the train is a replay, and the station does not allow it.
        SettingsError: the entry of the train is damaged.
    """
    if ledger := _ledger(session):
        replay = ledger.replay(config)
        _judge(session, replay)
        if replay is not None:
            session.report.warning(f"PHT_REPLAY=allow: {replay.message}")


def board(session: Session, config: TrainConfig) -> None:
    """Record the state of a train whose results are verified, before its command runs.

    Checks once more, since another container may have boarded meanwhile.

    Args:
        session: of the command.
        config: of the train.

    Raises:
        RouteError, SettingsError: see `refuse_replay`.
        StorageError: the ledger cannot be written.
    """
    if ledger := _ledger(session):
        with session.stop.at_once(), ledger.locked():
            _judge(session, ledger.replay(config))
            ledger.record(config)


def note_boarded(session: Session, config: TrainConfig) -> None:
    """Note for the status line whether a train that only has to be sealed has boarded here.

    Its results are never thrown away because of the ledger.
    """
    ledger = _ledger(session)
    with suppress(SettingsError):
        if ledger and ledger.has(config):
            session.note(replay=_CHECKED)


def _ledger(session: Session) -> Ledger | None:
    folder = session.settings.ledger
    return Ledger(folder) if folder else None


def _judge(session: Session, replay: RouteError | None) -> None:
    session.note(replay=_ALLOWED if replay and session.settings.replay_allowed else _CHECKED)
    if replay and not session.settings.replay_allowed:
        raise replay

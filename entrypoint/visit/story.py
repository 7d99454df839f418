"""The numbered steps of one visit, in their order.

pre-run, by the opener
     1  verify the immutable files and the user's signature
     2  verify the chain of station signatures
     3  unwrap the symmetric key
     4  decrypt the results
     5  verify the result hash and its signature
the train
     6  run the command
post-run, by the closer
     7  hash the new results
     8  encrypt them under a fresh key, and the immutable files if they travel encrypted
     9  sign the hash
    10  extend the chain
    11  wrap the key for every station and the user
    12  commit the configuration

Opener and closer are processes of their own, which load the station's private key and end: while
the train runs, no process holds it. The states of the disk in between are in docs/crash-safety.md.
"""

from collections.abc import Sequence
from dataclasses import replace

from entrypoint.crypto.keys import fingerprint
from entrypoint.errors import (
    AlreadyVisited,
    StoppedWhileSealing,
    StorageError,
    storage_error,
)
from entrypoint.process.child import TrainStillRunning
from entrypoint.process.stop import Stopped
from entrypoint.protocol.verify import has_visited
from entrypoint.recovery.journal import Journal, Phase
from entrypoint.report import Outcome, Report, Stage, State
from entrypoint.settings.settings import Settings
from entrypoint.train_config import read
from entrypoint.visit.boarding import board, note_boarded, refuse_replay
from entrypoint.visit.closer import Closer
from entrypoint.visit.data import check_data
from entrypoint.visit.export import Export
from entrypoint.visit.key_reach import check_key_reach, check_read_twice
from entrypoint.visit.ledger_reach import check_ledger_reach
from entrypoint.visit.opener import Opener
from entrypoint.visit.parts import Opened, run_closer, run_opener
from entrypoint.visit.place import check_replaceable
from entrypoint.visit.protection import may_override
from entrypoint.visit.restorer import Restorer, wrong_phase
from entrypoint.visit.session import Session, run_locked
from entrypoint.visit.station_key import StationKey
from entrypoint.visit.train import (
    TrainRun,
    check_config_unchanged,
    newest_change,
    report_trust,
    run_train,
    signed_command,
    still_running,
)
from entrypoint.visit.train_reach import usable_credentials
from entrypoint.visit.train_user import train_credentials


def run(settings: Settings, report: Report, command: Sequence[str], *, export: Export) -> Outcome:
    """Make the whole visit, or finish one that was interrupted.

    Args:
        settings: of the station.
        report: takes the log lines.
        command: of the train.
        export: writes the sealed train.
    """

    def visit(session: Session) -> Outcome:
        check_read_twice(session.settings)
        opened = run_opener(session, lambda: _open(session, command, export))
        if isinstance(opened, Outcome):
            return opened
        session.state = State.UNFINISHED
        session.surroundings = opened.surroundings
        ended = _run_train(session, opened)
        if ended.failure and ended.still_running:  # it could change what is restored
            return ended.failure
        return run_closer(session, lambda: _close(session, opened, ended, export))

    return run_locked(settings, report, visit)


def _open(session: Session, command: Sequence[str], export: Export) -> Opened | Outcome:
    """The opener: steps 1 to 5, or the whole rest of a visit whose train has run already."""
    key = StationKey(session.settings)
    disk = key.visit_state(session.paths)
    opener, restorer = Opener(session, disk), Restorer(session, disk)
    found = _find(restorer, session)
    if isinstance(found, Journal):
        return _finish(Closer(session, key, disk), session, found, export)
    train = opener.verify(found, key)  # 1, 2
    if has_visited(train.config, key.station):
        if failure := _write_missing_export(session, export):
            return failure
        raise _already_visited()
    refuse_replay(session, train.config)
    argv = signed_command(session, command, train)
    overrides = may_override()
    credentials = train_credentials(session.settings, session.report)
    credentials = usable_credentials(session, credentials, may_override=overrides)
    check_data(session, credentials, may_override=overrides)
    key_absent = check_key_reach(session, credentials)
    check_ledger_reach(session, credentials)
    export.check()
    with restorer.restored_on_error():
        opener.open(train, found, owner=credentials.owner())  # 3, 4, 5
        board(session, train.config)
    return Opened(
        command=tuple(argv),
        record=disk.record(),
        key=fingerprint(key.public()),
        credentials=credentials,
        key_absent=key_absent,
        surroundings=session.surroundings,
    )


def _run_train(session: Session, opened: Opened) -> TrainRun:
    """Step 6: run the train's command; its failure becomes part of the result."""
    before = None
    try:
        before = newest_change(session.paths.train)
        run_train(session, opened.command, opened.credentials, key_absent=opened.key_absent)
    except TrainStillRunning:
        advice = "; when they are gone, start this same container again: it restores the old state"
        failure = session.failed(still_running(advice=advice, retry=True))
        return TrainRun(newest_change=before, failure=failure, still_running=True)
    except Exception as error:
        return TrainRun(newest_change=before, failure=session.failed(error))
    return TrainRun(newest_change=before)


def _close(session: Session, opened: Opened, ended: TrainRun, export: Export) -> Outcome:
    """The closer: steps 7 to 12, or the way back from a train that has failed."""
    key = StationKey(session.settings, validated=True)
    key.check_unchanged(opened.key)
    disk = key.visit_state(session.paths)
    journal = disk.resume(opened.record)
    restorer, closer = Restorer(session, disk), Closer(session, key, disk)
    if ended.failure is not None:
        restorer.restore()
        return replace(ended.failure, state=session.state)
    config = read(journal.config)
    with restorer.restored_on_error():
        closer.check_after_run(config, since=ended.newest_change)
        check_config_unchanged(session.paths, opened.record)
        closer.start_sealing(config)
    return _seal(closer, session, export)


def pre_run(settings: Settings, report: Report, *, export: Export) -> Outcome:
    """Open the train and leave it to the operator to run it."""

    def open_and_wait(session: Session) -> Outcome:
        key = StationKey(session.settings)
        disk = key.visit_state(session.paths)
        opener, restorer = Opener(session, disk), Restorer(session, disk)
        found = _find(restorer, session)
        if isinstance(found, Journal):
            raise wrong_phase("the train has already run", "use post-run to seal its results")
        train = opener.verify(found, key)
        if has_visited(train.config, key.station):
            raise _already_visited()
        refuse_replay(session, train.config)
        export.check()
        with restorer.restored_on_error():
            opener.open(train, found)
            board(session, train.config)
            disk.wait()
        session.state = State.WAITING
        return session.succeeded("opened")

    return run_locked(settings, report, open_and_wait)


def post_run(settings: Settings, report: Report, *, export: Export) -> Outcome:
    """Seal the train that this station's own pre-run has opened."""

    def close(session: Session) -> Outcome:
        key = StationKey(session.settings)
        disk = key.visit_state(session.paths)
        restorer = Restorer(session, disk)
        match restorer.load():
            case Journal(phase=Phase.SEALING | Phase.WAITING | Phase.SUCCEEDED) as journal:
                restorer.check_own(journal)
                export.check()
                return _finish(Closer(session, key, disk), session, journal, export)
        raise wrong_phase("no pre-run of this station has opened it", "use pre-run first")

    return run_locked(settings, report, close)


def undo(settings: Settings, report: Report) -> Outcome:
    """Restore the old, encrypted state."""

    def restore(session: Session) -> Outcome:
        restorer = Restorer(session, StationKey(session.settings).visit_state(session.paths))
        session.stage = Stage.UNDO
        match restorer.load():
            case Journal(phase=Phase.SEALING):
                raise wrong_phase("the train has already run", "use post-run to finish the sealing")
            case Journal(phase=Phase.SPENT):
                raise _spent()
            case Journal() as journal:
                restorer.check_own(journal)
                if not restorer.restore():
                    raise _spent()
                return session.succeeded("undone")
        raise wrong_phase("nothing is open", "there is nothing to undo")

    return run_locked(settings, report, restore)


def _find(restorer: Restorer, session: Session) -> bytes | Journal:
    """Return the complete configuration, or the journal of a visit that only has to be sealed.

    Any other interrupted visit is undone first.
    """
    found = restorer.load()
    check_replaceable(session.paths)
    if isinstance(found, bytes):
        restorer.disk.remove_leftovers()
        return found
    restorer.check_own(found)
    match found.phase:
        case Phase.WAITING:
            raise wrong_phase("a pre-run has opened it", "use post-run to seal it, or undo")
        case Phase.SPENT:
            raise _spent()
        case Phase.SUCCEEDED:
            session.report.info(
                "the train has already run; its results were waiting for disk space"
            )
            return found
        case Phase.SEALING:
            session.report.info(
                "the train has already run; sealing goes on where it was interrupted"
            )
            return found
    session.report.info("undoing an interrupted visit first")
    if not restorer.restore():
        raise _spent()
    return found.config


def _finish(closer: Closer, session: Session, journal: Journal, export: Export) -> Outcome:
    """Seal a train that an earlier start, or the operator, has run.

    Nothing is refused for its keys any more: the results are there.
    """
    config = read(journal.config)
    report_trust(session, session.settings.anchors.judge(config))
    note_boarded(session, config)
    if journal.phase is not Phase.SEALING:
        closer.check_after_run(config, since=None)
        closer.start_sealing(config)
    return _seal(closer, session, export)


def _seal(closer: Closer, session: Session, export: Export) -> Outcome:
    """Steps 7 to 12 and the export; if they are interrupted, the next start goes on."""
    journal = closer.disk.unfinished_journal()
    try:
        contents = closer.seal_and_commit(journal)
    except Stopped:
        raise StoppedWhileSealing(
            "stopped-while-sealing",
            "stopped after the train had succeeded, before everything was sealed",
            hint="start this same container again: it seals the results without a new run",
            retry=True,
        ) from None
    except OSError as error:
        hint = "fix the cause, then start this same container again to finish"
        raise storage_error(error, hint) from error
    visited = session.succeeded(
        "visited",
        files=contents.files,
        size=contents.size,
        changed=[*journal.backups, "train_config.json", "user_sym_key.key"],
    )
    session.stage = Stage.EXPORT
    export.write()
    return visited


def _write_missing_export(session: Session, export: Export) -> Outcome | None:
    """Write the export that an interrupted start has left out; return an outcome if that fails."""
    try:
        export.write_if_missing()
    except Exception as error:
        return replace(session.failed(error), stage=Stage.EXPORT, state=State.SEALED)
    return None


def _already_visited() -> AlreadyVisited:
    return AlreadyVisited(
        "already-visited",
        "this station has already made its visit, and the chain verifies",
        hint="nothing is left to do here: hand the train over to the next station",
    )


def _spent() -> StorageError:
    return StorageError(
        "start-from-image",
        "an earlier visit failed and its encrypted results could not be restored",
        hint="remove this container and start a new one from the image",
    )

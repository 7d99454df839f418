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

Opener and closer each load the station's private key; between them, while the train runs, nothing
refers to it. The states of the disk in between are in docs/crash-safety.md.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from entrypoint.errors import (
    AlreadyVisited,
    RouteError,
    StoppedWhileSealing,
    StorageError,
    storage_error,
)
from entrypoint.process.child import TrainStillRunning
from entrypoint.process.stop import Stopped
from entrypoint.recovery.journal import Journal, Phase
from entrypoint.report import Outcome, Report, Stage, State
from entrypoint.settings.settings import Settings
from entrypoint.train_config import read
from entrypoint.visit.data import check_data
from entrypoint.visit.export import Export
from entrypoint.visit.place import check_replaceable
from entrypoint.visit.session import Session, run_locked
from entrypoint.visit.steps import Steps
from entrypoint.visit.train import TrainRun, newest_change, run_train, signed_command, still_running


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An opened train, ready to run. Holds no key.

    Attributes:
        command: program and arguments.
        journal: of the visit, for the closer.
    """

    command: tuple[str, ...]
    journal: Journal


def run(settings: Settings, report: Report, command: Sequence[str], *, export: Export) -> Outcome:
    """Make the whole visit, or finish one that was interrupted.

    Args:
        settings: of the station.
        report: takes the log lines.
        command: of the train.
        export: writes the sealed train.
    """

    def visit(session: Session) -> Outcome:
        opened = _open(session, command, export)
        if isinstance(opened, Outcome):
            return opened
        return _close(session, opened, _run_train(session, opened), export)

    return run_locked(settings, report, visit)


def _open(session: Session, command: Sequence[str], export: Export) -> Opened | Outcome:
    """The opener: steps 1 to 5, or the whole rest of a visit whose train has run already."""
    steps = Steps(session)
    found = _find(steps, session)
    if isinstance(found, Journal):
        return _finish(steps, session, found, export)
    train = steps.verify(found)  # 1, 2
    if steps.has_visited(train):
        if failure := _write_missing_export(session, export):
            return failure
        raise _already_visited()
    argv = signed_command(session, command, train)
    check_data(session.settings, session.report)
    export.check()
    with steps.restored_on_error():
        steps.open(train, found)  # 3, 4, 5
    session.state = State.UNFINISHED
    return Opened(command=tuple(argv), journal=steps.disk.unfinished_journal())


def _run_train(session: Session, opened: Opened) -> TrainRun:
    """Step 6: run the train's command; its failure becomes part of the result."""
    before = None
    try:
        before = newest_change(session.paths.train)
        run_train(session, opened.command)
    except TrainStillRunning:
        advice = "; when they are gone, start this same container again: it restores the old state"
        failure = session.failed(still_running(advice=advice, retry=True))
        return TrainRun(newest_change=before, failure=failure, still_running=True)
    except Exception as error:
        return TrainRun(newest_change=before, failure=session.failed(error))
    return TrainRun(newest_change=before)


def _close(session: Session, opened: Opened, ended: TrainRun, export: Export) -> Outcome:
    """The closer: steps 7 to 12, or the way back from a train that has failed."""
    steps = Steps(session, already_validated=True)
    steps.disk.journal = opened.journal
    if ended.failure is not None:
        if not ended.still_running:  # else the train could change what is restored
            steps.restore()
        return replace(ended.failure, state=session.state)
    config = read(opened.journal.config)
    with steps.restored_on_error():
        steps.check_after_run(config, since=ended.newest_change)
        steps.start_sealing(config)
    return _seal(steps, session, export)


def pre_run(settings: Settings, report: Report, *, export: Export) -> Outcome:
    """Open the train and leave it to the operator to run it."""

    def open_and_wait(session: Session) -> Outcome:
        steps = Steps(session)
        found = _find(steps, session)
        if isinstance(found, Journal):
            raise _wrong_phase("the train has already run", "use post-run to seal its results")
        train = steps.verify(found)
        if steps.has_visited(train):
            raise _already_visited()
        export.check()
        with steps.restored_on_error():
            steps.open(train, found)
            steps.disk.wait()
        session.state = State.WAITING
        return session.succeeded("opened")

    return run_locked(settings, report, open_and_wait)


def post_run(settings: Settings, report: Report, *, export: Export) -> Outcome:
    """Seal the train that this station's own pre-run has opened."""

    def close(session: Session) -> Outcome:
        steps = Steps(session)
        match steps.load():
            case Journal(phase=Phase.SEALING | Phase.WAITING | Phase.SUCCEEDED) as journal:
                steps.check_own(journal)
                export.check()
                return _finish(steps, session, journal, export)
        raise _wrong_phase("no pre-run of this station has opened it", "use pre-run first")

    return run_locked(settings, report, close)


def undo(settings: Settings, report: Report) -> Outcome:
    """Restore the old, encrypted state."""

    def restore(session: Session) -> Outcome:
        steps = Steps(session)
        session.stage = Stage.UNDO
        match steps.load():
            case Journal(phase=Phase.SEALING):
                raise _wrong_phase(
                    "the train has already run", "use post-run to finish the sealing"
                )
            case Journal(phase=Phase.SPENT):
                raise _spent()
            case Journal() as journal:
                steps.check_own(journal)
                if not steps.restore():
                    raise _spent()
                return session.succeeded("undone")
        raise _wrong_phase("nothing is open", "there is nothing to undo")

    return run_locked(settings, report, restore)


def check(settings: Settings, report: Report) -> Outcome:
    """Verify everything that a visit would verify, and write nothing."""

    def verify(session: Session) -> Outcome:
        steps = Steps(session)
        train = steps.verify(_complete(steps))
        opened = steps.decrypt(train, None)
        code = "already-visited" if steps.has_visited(train) else "ready"
        return session.succeeded("verified", code=code, files=opened.contents.files)

    return run_locked(settings, report, verify)


def query(settings: Settings, report: Report, write: Callable[[Iterable[bytes]], None]) -> Outcome:
    """Pass the verified query to `write`, so that the station can fetch the data before a run."""

    def write_query(session: Session) -> Outcome:
        steps = Steps(session)
        train = steps.verify(_complete(steps))
        steps.write_query(train, write)
        return session.succeeded("verified")

    return run_locked(settings, report, write_query)


def _complete(steps: Steps) -> bytes:
    """Return the configuration; refuse a train in the middle of a visit."""
    found = steps.load()
    if isinstance(found, Journal):
        raise _wrong_phase("a visit is not finished", "start that container again, or use undo")
    return found


def _find(steps: Steps, session: Session) -> bytes | Journal:
    """Return the complete configuration, or the journal of a visit that only has to be sealed.

    Any other interrupted visit is undone first.
    """
    found = steps.load()
    check_replaceable(session.paths)
    if isinstance(found, bytes):
        steps.disk.remove_leftovers()
        return found
    steps.check_own(found)
    match found.phase:
        case Phase.WAITING:
            raise _wrong_phase("a pre-run has opened it", "use post-run to seal it, or undo")
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
    if not steps.restore():
        raise _spent()
    return found.config


def _finish(steps: Steps, session: Session, journal: Journal, export: Export) -> Outcome:
    """Seal a train that an earlier start, or the operator, has run."""
    if journal.phase is not Phase.SEALING:
        config = read(journal.config)
        steps.check_after_run(config, since=None)
        steps.start_sealing(config)
    return _seal(steps, session, export)


def _seal(steps: Steps, session: Session, export: Export) -> Outcome:
    """Steps 7 to 12 and the export; if they are interrupted, the next start goes on."""
    journal = steps.disk.unfinished_journal()
    try:
        contents = steps.seal_and_commit(journal)
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


def _wrong_phase(problem: str, hint: str) -> RouteError:
    return RouteError(
        "wrong-half", f"this command does not fit the state of the train: {problem}", hint=hint
    )


def _spent() -> StorageError:
    return StorageError(
        "start-from-image",
        "an earlier visit failed and its encrypted results could not be restored",
        hint="remove this container and start a new one from the image",
    )

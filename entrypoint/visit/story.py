"""The story of one visit.

pre-run
     1  verify the immutable files and the user's signature
     2  verify the chain of station signatures
     3  unwrap the symmetric key
     4  decrypt the results
     5  verify the result hash and its signature
the train
     6  run the command
post-run
     7  hash the new results
     8  encrypt them under a fresh key, and the immutable files if they travel encrypted
     9  sign the hash
    10  extend the chain
    11  wrap the key for every station and the user
    12  commit the configuration

What the disk holds in between is told in docs/crash-safety.md.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from entrypoint.errors import (
    AlreadyVisited,
    PhtError,
    RouteError,
    StoppedWhileSealing,
    StorageError,
    storage_error,
    unexpected,
)
from entrypoint.process.child import Reason
from entrypoint.process.failure import TrainFailed
from entrypoint.process.stop import Stopped, StopRequest
from entrypoint.protocol.stages import VerifiedTrain
from entrypoint.recovery.journal import Journal, Phase
from entrypoint.recovery.state import lock
from entrypoint.report import Outcome, Report
from entrypoint.settings.settings import Settings
from entrypoint.train_config import read
from entrypoint.visit.export import Export
from entrypoint.visit.hidden_mounts import mount_named
from entrypoint.visit.steps import KeylessSteps, Steps

AnySteps = TypeVar("AnySteps", bound=KeylessSteps)


def run(settings: Settings, report: Report, command: Sequence[str], *, export: Export) -> Outcome:
    """Make the whole visit with the train's command, or finish one that was interrupted.

    Args:
        settings: of the station.
        report: takes the log lines.
        command: of the train.
        export: writes the sealed train.
    """

    def story(steps: Steps) -> Outcome:
        found = _find(steps, report)
        if isinstance(found, bytes):
            train = steps.verify(found)  # 1, 2
            if steps.has_visited(train):
                _make_up_export(steps, export)
            _refuse_second_visit(steps, train)
            argv = steps.resolve(command, train)
            steps.check_data()
            export.check()
            with steps.or_go_back():
                steps.open(train, found)  # 3, 4, 5
                steps.run_train(argv)  # 6
                steps.check_left(train.config)
                steps.start_sealing(train.config)
        elif found.phase is Phase.SUCCEEDED:
            config = read(found.config)
            steps.check_left(config)
            steps.start_sealing(config)
        return _seal(steps, export)  # 7 to 12

    return _run_locked(settings, report, story)


def pre_run(settings: Settings, report: Report, export: Export) -> Outcome:
    """Open the train and leave it to the operator to run it."""

    def story(steps: Steps) -> Outcome:
        found = _find(steps, report)
        if isinstance(found, Journal):
            raise _wrong_half("the train has already run", "use post-run to seal its results")
        train = steps.verify(found)
        _refuse_second_visit(steps, train)
        export.check()
        with steps.or_go_back():
            steps.open(train, found)
            steps.disk.wait()
        steps.state = "waiting"
        return outcome(steps, "opened")

    return _run_locked(settings, report, story)


def post_run(settings: Settings, report: Report, export: Export) -> Outcome:
    """Seal what this station's own pre-run has opened."""

    def story(steps: Steps) -> Outcome:
        match steps.load():
            case Journal(phase=Phase.SEALING):
                export.check()
            case Journal(phase=Phase.WAITING | Phase.SUCCEEDED) as journal:
                steps.check_own(journal)
                export.check()
                config = read(journal.config)
                steps.check_left(config)
                steps.start_sealing(config)
            case _:
                raise _wrong_half("no pre-run of this station has opened it", "use pre-run first")
        return _seal(steps, export)

    return _run_locked(settings, report, story)


def undo(settings: Settings, report: Report) -> Outcome:
    """Put the old, encrypted state back."""

    def story(steps: Steps) -> Outcome:
        steps.stage = "undo"
        match steps.load():
            case Journal(phase=Phase.SEALING):
                raise _wrong_half("the train has already run", "use post-run to finish the sealing")
            case Journal(phase=Phase.SPENT):
                raise _spent()
            case Journal() as journal:
                steps.check_own(journal)
                if not steps.go_back():
                    raise _spent()
                return outcome(steps, "undone")
        raise _wrong_half("nothing is open", "there is nothing to undo")

    return _run_locked(settings, report, story)


def check(settings: Settings, report: Report) -> Outcome:
    """Verify everything that a visit would verify, and write nothing."""

    def story(steps: Steps) -> Outcome:
        train = steps.verify(_complete(steps))
        opened = steps.decrypt(train, None)
        code = "already-visited" if steps.has_visited(train) else "ready"
        return outcome(steps, "verified", code=code, files=opened.contents.files)

    return _run_locked(settings, report, story)


def query(settings: Settings, report: Report, write: Callable[[Iterable[bytes]], None]) -> Outcome:
    """Give `write` the verified query, so that the station can fetch the data before a run."""

    def story(steps: Steps) -> Outcome:
        train = steps.verify(_complete(steps))
        steps.write_query(train, write)
        return outcome(steps, "verified")

    return _run_locked(settings, report, story)


def _run_locked(settings: Settings, report: Report, story: Callable[[Steps], Outcome]) -> Outcome:
    return run_locked(Steps, settings, report, story)


def run_locked(
    kind: type[AnySteps], settings: Settings, report: Report, story: Callable[[AnySteps], Outcome]
) -> Outcome:
    """Run one command under the train's lock and report the error that ends it."""
    with mount_named(settings.paths), lock(settings.paths), StopRequest() as stop:
        steps = kind(settings, report, stop)
        try:
            with mount_named(settings.paths):
                return story(steps)
        except TrainFailed as failure:
            return _train_failed(steps, failure, report)
        except Stopped as stopped:
            return _stopped(steps, 128 + stopped.signal)
        except PhtError as error:
            return _refused(steps, error, report)
        except OSError as error:
            return _refused(steps, storage_error(error), report)
        except Exception as error:
            return _refused(steps, unexpected(error), report)


def _refused(steps: KeylessSteps, error: PhtError, report: Report) -> Outcome:
    report.error(error)
    return Outcome.refused(error, stage=steps.stage, state=steps.state)


def _complete(steps: Steps) -> bytes:
    """Return the configuration; refuse to look at a train in the middle of a visit."""
    found = steps.load()
    if isinstance(found, Journal):
        raise _wrong_half("a visit is not finished", "start that container again, or use undo")
    return found


def _find(steps: Steps, report: Report) -> bytes | Journal:
    """Return the complete configuration, or the journal of a visit that is to be sealed.

    Whatever else an interrupted start has left is taken back first.
    """
    found = steps.load()
    steps.check_writable()
    if isinstance(found, bytes):
        steps.disk.clear_waste()
        return found
    steps.check_own(found)
    match found.phase:
        case Phase.WAITING:
            raise _wrong_half("a pre-run has opened it", "use post-run to seal it, or undo")
        case Phase.SPENT:
            raise _spent()
        case Phase.SUCCEEDED:
            report.info("the train has run already: its results have waited for room to be sealed")
            return found
        case Phase.SEALING:
            report.info("the train has run already: sealing goes on where it was interrupted")
            return found
    report.info("an interrupted visit is taken back first")
    if not steps.go_back():
        raise _spent()
    return found.config


def _refuse_second_visit(steps: Steps, train: VerifiedTrain) -> None:
    if steps.has_visited(train):
        raise AlreadyVisited(
            "already-visited",
            "this station has already made its visit, and the chain verifies",
            hint="nothing is left to do here: hand the train over to the next station",
        )


def _make_up_export(steps: Steps, export: Export) -> None:
    """Export what an earlier start has sealed, if it was interrupted before it had exported it."""
    place = steps.stage, steps.state
    steps.stage, steps.state = "export", "sealed"
    export.make_up()
    steps.stage, steps.state = place


def _seal(steps: Steps, export: Export) -> Outcome:
    """Steps 7 to 12 and the export; whatever interrupts them, the next start goes on."""
    journal = steps.disk.begun()
    steps.check_own(journal)
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
        hint = "mend the cause, then start this same container again to finish"
        raise storage_error(error, hint) from error
    visited = outcome(
        steps,
        "visited",
        files=contents.files,
        size=contents.size,
        changed=[*journal.backups, "train_config.json", "user_sym_key.key"],
    )
    steps.stage = "export"
    export.write()
    return visited


def outcome(
    steps: KeylessSteps,
    result: str,
    *,
    code: str | None = None,
    files: int | None = None,
    size: int | None = None,
    changed: Sequence[str] | None = None,
) -> Outcome:
    """Return how a story ended that has succeeded."""
    return Outcome(
        result=result,
        code=code,
        stage=steps.stage,
        state=steps.state,
        files=files,
        bytes=size,
        changed=changed,
    )


def _train_failed(steps: KeylessSteps, failure: TrainFailed, report: Report) -> Outcome:
    ended = failure.ended
    if ended.reason is Reason.STOPPED:
        return _stopped(steps, ended.status)
    report.error(failure.error)
    return Outcome(
        result=failure.error.code,
        status=ended.status,
        stage=steps.stage,
        reason=failure.reason,
        by=failure.error.by,
        retry=False,
        state=steps.state,
    )


def _stopped(steps: KeylessSteps, status: int) -> Outcome:
    return Outcome(
        result="stopped",
        status=status,
        stage=steps.stage,
        by="station",
        retry=True,
        state=steps.state,
    )


def _wrong_half(problem: str, hint: str) -> RouteError:
    return RouteError("wrong-half", f"this cannot be done to the train now: {problem}", hint=hint)


def _spent() -> StorageError:
    return StorageError(
        "start-from-image",
        "an earlier visit failed and its encrypted results could not be kept",
        hint="remove this container and start a new one from the image",
    )

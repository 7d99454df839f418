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
from entrypoint.recovery.state import Journal, Phase, lock
from entrypoint.report import Fact, Report
from entrypoint.settings.settings import Settings
from entrypoint.train_config import read
from entrypoint.visit.hidden_mounts import mount_named
from entrypoint.visit.steps import KeylessSteps, Steps

Outcome = dict[str, Fact]
"""How a command ended: the facts of its status line; `status` is the exit status."""

AnySteps = TypeVar("AnySteps", bound=KeylessSteps)


def run(
    settings: Settings, report: Report, command: Sequence[str], *, before: Callable[[], None]
) -> Outcome:
    """Make the whole visit with the train's command, or finish one that was interrupted.

    Args:
        settings: of the station.
        report: takes the log lines.
        command: of the train.
        before: called before a new visit changes anything; raises to refuse it.
    """

    def story(steps: Steps) -> Outcome:
        found = _find(steps, report)
        if isinstance(found, bytes):
            train = steps.verify(found)  # 1, 2
            _refuse_second_visit(steps, train)
            argv = steps.resolve(command, train)
            steps.check_data()
            before()
            with steps.or_go_back():
                steps.open(train, found)  # 3, 4, 5
                steps.run_train(argv)  # 6
                steps.check_left(train.config)
                steps.start_sealing(train.config)
        elif found.phase is Phase.SUCCEEDED:
            config = read(found.config)
            steps.check_left(config)
            steps.start_sealing(config)
        return _seal(steps)  # 7 to 12

    return _aboard(settings, report, story)


def pre_run(settings: Settings, report: Report, before: Callable[[], None]) -> Outcome:
    """Open the train and leave it to the operator to run it; for `before` see `run`."""

    def story(steps: Steps) -> Outcome:
        found = _find(steps, report)
        if isinstance(found, Journal):
            raise _wrong_half("the train has already run", "use post-run to seal its results")
        train = steps.verify(found)
        _refuse_second_visit(steps, train)
        before()
        with steps.or_go_back():
            steps.open(train, found)
            steps.disk.wait()
        steps.state = "waiting"
        return outcome(steps, "opened")

    return _aboard(settings, report, story)


def post_run(settings: Settings, report: Report, before: Callable[[], None]) -> Outcome:
    """Seal what this station's own pre-run has opened; for `before` see `run`."""

    def story(steps: Steps) -> Outcome:
        match steps.load():
            case Journal(phase=Phase.SEALING):
                before()
            case Journal(phase=Phase.WAITING | Phase.SUCCEEDED) as journal:
                steps.check_own(journal)
                before()
                config = read(journal.config)
                steps.check_left(config)
                steps.start_sealing(config)
            case _:
                raise _wrong_half("no pre-run of this station has opened it", "use pre-run first")
        return _seal(steps)

    return _aboard(settings, report, story)


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

    return _aboard(settings, report, story)


def check(settings: Settings, report: Report) -> Outcome:
    """Verify everything that a visit would verify, and write nothing."""

    def story(steps: Steps) -> Outcome:
        train = steps.verify(_complete(steps))
        opened = steps.decrypt(train, None)
        code = "already-visited" if steps.has_visited(train) else "ready"
        return outcome(steps, "verified", code=code, files=opened.contents.files)

    return _aboard(settings, report, story)


def query(settings: Settings, report: Report, write: Callable[[Iterable[bytes]], None]) -> Outcome:
    """Give `write` the verified query, so that the station can fetch the data before a run."""

    def story(steps: Steps) -> Outcome:
        train = steps.verify(_complete(steps))
        steps.write_query(train, write)
        return outcome(steps, "verified")

    return _aboard(settings, report, story)


def _aboard(settings: Settings, report: Report, story: Callable[[Steps], Outcome]) -> Outcome:
    return aboard(Steps, settings, report, story)


def aboard(
    kind: type[AnySteps], settings: Settings, report: Report, story: Callable[[AnySteps], Outcome]
) -> Outcome:
    """Tell a story alone with the train; what goes wrong is placed in it."""
    with mount_named(settings.paths), lock(settings.paths), StopRequest() as stop:
        steps = kind(settings, report, stop)
        try:
            return story(steps)
        except TrainFailed as failure:
            return _train_failed(steps, failure, report)
        except Stopped as stopped:
            return _stopped(steps, 128 + stopped.signal)
        except OSError as error:
            raise steps.placed(storage_error(error)) from error
        except PhtError as error:
            raise steps.placed(error) from error.__cause__
        except Exception as error:
            raise steps.placed(unexpected(error)) from error


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
        raise RouteError(
            "already-visited",
            "this station has already made its visit, and the chain verifies",
            hint="nothing is left to do here: hand the train over to the next station",
        )


def _seal(steps: Steps) -> Outcome:
    """Steps 7 to 12; whatever interrupts them, the next start goes on."""
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
        raise storage_error(error).with_hint(hint, retry=True) from error
    changed = ",".join([*journal.backups, "train_config.json", "user_sym_key.key"])
    return outcome(steps, "visited", files=contents.files, bytes=contents.size, changed=changed)


def outcome(steps: KeylessSteps, result: str, **facts: Fact) -> Outcome:
    """Return how a story ended that has succeeded."""
    shown: dict[str, Fact] = {"result": result, "status": 0, "stage": steps.stage}
    return {**shown, "state": steps.state, **facts}


def _train_failed(steps: KeylessSteps, failure: TrainFailed, report: Report) -> Outcome:
    ended = failure.ended
    if ended.reason is Reason.STOPPED:
        return _stopped(steps, ended.status)
    report.error(failure.error)
    facts: dict[str, Fact] = {"result": failure.error.code, "status": ended.status}
    facts |= {"stage": steps.stage, "reason": failure.reason}
    facts |= {"by": failure.error.by, "retry": "no"}
    return {**facts, "state": steps.state}


def _stopped(steps: KeylessSteps, status: int) -> Outcome:
    facts: dict[str, Fact] = {"result": "stopped", "status": status, "stage": steps.stage}
    return {**facts, "by": "station", "retry": "yes", "state": steps.state}


def _wrong_half(problem: str, hint: str) -> RouteError:
    return RouteError("wrong-half", f"this cannot be done to the train now: {problem}", hint=hint)


def _spent() -> StorageError:
    return StorageError(
        "start-from-image",
        "an earlier visit failed and its encrypted results could not be kept",
        hint="remove this container and start a new one from the image",
    )

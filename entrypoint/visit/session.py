"""Runs one command under the train's lock and ends it with an outcome."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from entrypoint.errors import PhtError, RouteError, storage_error, unexpected
from entrypoint.limits import SESSION_ID_BYTES
from entrypoint.process.child import Reason
from entrypoint.process.failure import TrainFailed
from entrypoint.process.stop import Stopped, StopRequest
from entrypoint.recovery.state import lock
from entrypoint.report import Outcome, Report, Stage, State, Surroundings
from entrypoint.settings.settings import Settings
from entrypoint.train_config import TrainConfig
from entrypoint.visit.hidden_mounts import explain_mounts

_SESSION = re.compile(f"[0-9a-f]{{{2 * SESSION_ID_BYTES}}}")


class Session:
    """State shared by the steps of one command. Holds no key.

    Attributes:
        settings: of the station.
        paths: of the train.
        report: takes the log lines.
        stop: the request to stop.
        stage: the stage of the visit, for the status line.
        state: the state of the train on disk, for the status line.
        surroundings: what is known of the train and its protection, for the status line.
    """

    def __init__(self, settings: Settings, report: Report) -> None:
        self.settings = settings
        self.paths = settings.paths
        self.report = report
        self.stop = StopRequest()
        self.stage = Stage.START
        self.state = State.UNCHANGED
        self.surroundings = Surroundings()

    def note(self, **facts: Any) -> None:
        """Replace attributes of the surroundings."""
        self.surroundings = replace(self.surroundings, **facts)

    def identify(self, config: TrainConfig) -> None:
        """Note which train this is, for the status line, and refuse an unexpected one.

        Raises:
            RouteError: the station expects another one.
        """
        self.note(train=config.train_id, session=config.session_id.hex())
        check_expected(config, self.settings.expected_train)

    def succeeded(
        self,
        result: str,
        *,
        code: str | None = None,
        files: int | None = None,
        size: int | None = None,
        changed: Sequence[str] | None = None,
    ) -> Outcome:
        """Return the outcome of a command that has succeeded.

        Args:
            result: one word for the status line.
            code: see `Outcome`.
            files: number of results.
            size: their bytes.
            changed: see `Outcome`.
        """
        return Outcome(
            result=result,
            code=code,
            stage=self.stage,
            state=self.state,
            files=files,
            bytes=size,
            changed=changed,
            surroundings=self.surroundings,
        )

    def failed(self, error: Exception) -> Outcome:
        """Report the error that ends the command, and return the outcome."""
        match error:
            case TrainFailed(ended=ended) if ended.reason is Reason.STOPPED:
                return self._stopped(ended.status)
            case TrainFailed():
                return self._train_failed(error)
            case Stopped():
                return self._stopped(128 + error.signal)
            case PhtError():
                return self._refused(error)
            case OSError():
                return self._refused(storage_error(error))
        return self._refused(unexpected(error))

    def _refused(self, error: PhtError) -> Outcome:
        self.report.error(error)
        return Outcome.refused(
            error, stage=self.stage, state=self.state, surroundings=self.surroundings
        )

    def _train_failed(self, failure: TrainFailed) -> Outcome:
        self.report.error(failure.error)
        return Outcome(
            result=failure.error.code,
            status=failure.ended.status,
            stage=self.stage,
            reason=failure.reason,
            by=failure.error.by,
            retry=False,
            state=self.state,
            surroundings=self.surroundings,
        )

    def _stopped(self, status: int) -> Outcome:
        return Outcome(
            result="stopped",
            status=status,
            stage=self.stage,
            by="station",
            retry=True,
            state=self.state,
            surroundings=self.surroundings,
        )


def check_expected(config: TrainConfig, expected: str | None) -> None:
    """Refuse another train than the station expects.

    Args:
        config: of the train that is here.
        expected: its id or session, as PHT_EXPECT_TRAIN names it; None for any train.

    Raises:
        RouteError: it is another one.
    """
    session = config.session_id.hex()
    # An id is chosen by its author, who may have chosen the session of another train.
    is_id = expected == config.train_id and not _SESSION.fullmatch(expected)
    if expected not in (None, session) and not is_id:
        raise RouteError(
            "unexpected-train",
            f"this is the train {config.train_id}, session {session}, and not {expected}",
            hint="a volume may still hold the train of an earlier visit: start a new container "
            "with a new volume; if this train is right, correct PHT_EXPECT_TRAIN",
        )


def run_locked(
    settings: Settings, report: Report, command: Callable[[Session], Outcome]
) -> Outcome:
    """Run one command under the train's lock, and report the error that ends it."""
    session = Session(settings, report)
    try:
        with explain_mounts(session.paths), lock(session.paths), session.stop:
            return command(session)
    except Exception as error:
        return session.failed(error)

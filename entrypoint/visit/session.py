"""Runs one command under the train's lock and ends it with an outcome."""

from collections.abc import Callable, Sequence

from entrypoint.errors import PhtError, storage_error, unexpected
from entrypoint.process.child import Reason
from entrypoint.process.failure import TrainFailed
from entrypoint.process.stop import Stopped, StopRequest
from entrypoint.recovery.state import lock
from entrypoint.report import Outcome, Report, Stage, State, Surroundings
from entrypoint.settings.settings import Settings
from entrypoint.visit.hidden_mounts import explain_mounts


class Session:
    """State shared by the steps of one command. Holds no key.

    Attributes:
        settings: of the station.
        paths: of the train.
        report: takes the log lines.
        stop: the request to stop.
        stage: the stage of the visit, for the status line.
        state: the state of the train on disk, for the status line.
        trust, replay, layers: see `Surroundings`.
    """

    def __init__(self, settings: Settings, report: Report) -> None:
        self.settings = settings
        self.paths = settings.paths
        self.report = report
        self.stop = StopRequest()
        self.stage = Stage.START
        self.state = State.UNCHANGED
        self.trust = "none"
        self.replay = "unchecked"
        self.layers: tuple[str, ...] = ()

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
            surroundings=self._surroundings(),
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

    def _surroundings(self) -> Surroundings:
        return Surroundings(trust=self.trust, replay=self.replay, layers=self.layers)

    def _refused(self, error: PhtError) -> Outcome:
        self.report.error(error)
        return Outcome.refused(
            error, stage=self.stage, state=self.state, surroundings=self._surroundings()
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
            surroundings=self._surroundings(),
        )

    def _stopped(self, status: int) -> Outcome:
        return Outcome(
            result="stopped",
            status=status,
            stage=self.stage,
            by="station",
            retry=True,
            state=self.state,
            surroundings=self._surroundings(),
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

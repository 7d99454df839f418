"""How a failed train is explained; that a visit says so is tried where trains fail."""

import signal

import pytest

from entrypoint.process.child import Ended, Reason
from entrypoint.process.failure import TrainFailed

ENV = {"PATH": "/nowhere"}
KILLED = Ended(137, Reason.SIGNALLED, 9)
BY_A_SHELL = Ended(137, Reason.EXITED)


def failed(ended: Ended, *, out_of_memory: bool | None = None) -> TrainFailed:
    return TrainFailed(ended, ["python"], ENV, timeout=3600.0, out_of_memory=out_of_memory)


@pytest.mark.parametrize("ended", [KILLED, BY_A_SHELL], ids=["itself", "what a shell ran"])
@pytest.mark.parametrize("out_of_memory", [True, False, None])
def test_memory_is_blamed_for_sigkill_unless_the_kernel_knows_better(
    out_of_memory: bool | None, ended: Ended
) -> None:
    failure = failed(ended, out_of_memory=out_of_memory)
    assert ("--memory" in failure.error.hint) is (out_of_memory is not False)
    assert ("often" in failure.error.hint) is (out_of_memory is None)
    assert failure.error.by == ("station" if out_of_memory else "author")
    assert (failure.reason == "out-of-memory") is (out_of_memory is True)


def test_a_process_of_the_train_may_be_what_was_killed() -> None:
    failure = failed(Ended(1, Reason.EXITED), out_of_memory=True)
    assert failure.error.message.endswith("ended with status 1, after memory had run out")
    assert (failure.reason, failure.error.by) == ("out-of-memory", "station")


@pytest.mark.parametrize(
    ("ended", "message", "hint"),
    [
        (Ended(3, Reason.EXITED), "ended with status 3", "lines above"),
        (Ended(139, Reason.SIGNALLED, 11), "was killed by signal 11 (", "lines above"),
        (Ended(162, Reason.SIGNALLED, 34), "was killed by signal 34 (", "lines above"),
        (Ended(124, Reason.TIMED_OUT, 9), "ran longer than PHT_TIMEOUT=3600 ", "PHT_TIMEOUT"),
        (Ended(143, Reason.EXITED), "ended with status 143", "lines above"),
        (Ended(255, Reason.EXITED), "ended with status 255", "lines above"),
        (Ended(127, Reason.NOT_FOUND), "was not found", "master image"),
        (Ended(126, Reason.NOT_EXECUTABLE), "is not executable", "interpreter"),
    ],
)
def test_an_end_is_told_with_the_program_and_what_to_do(
    ended: Ended, message: str, hint: str
) -> None:
    failure = failed(ended)
    assert failure.error.message.startswith(f"the train's command, python, {message}")
    assert hint in failure.error.hint
    assert (failure.error.code, failure.error.by) == ("train-failed", "author")


@pytest.mark.parametrize(
    ("number", "option"), [(signal.SIGBUS, "--shm-size"), (signal.SIGILL, "newer machine")]
)
@pytest.mark.parametrize("reason", [Reason.SIGNALLED, Reason.EXITED])
def test_a_signal_that_the_place_can_be_guilty_of_is_not_blamed_on_the_author_alone(
    number: signal.Signals, option: str, reason: Reason
) -> None:
    killed_by = number if reason is Reason.SIGNALLED else None
    failure = failed(Ended(128 + number, reason, killed_by))
    assert option in failure.error.hint
    assert "author" in failure.error.hint
    assert failure.error.by == "station"

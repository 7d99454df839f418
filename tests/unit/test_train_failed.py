"""How a failed train is explained; that a visit says so is tried where trains fail."""

import pytest

from entrypoint.linux.child import Ended, Reason
from entrypoint.train_failed import TrainFailed

KILLED = Ended(137, Reason.SIGNALLED, 9)
BY_A_SHELL = Ended(137, Reason.EXITED)


@pytest.mark.parametrize("ended", [KILLED, BY_A_SHELL], ids=["itself", "what a shell ran"])
@pytest.mark.parametrize("out_of_memory", [True, False, None])
def test_memory_is_blamed_for_sigkill_unless_the_kernel_knows_better(
    out_of_memory: bool | None, ended: Ended
) -> None:
    failure = TrainFailed(ended, "python", None, out_of_memory)
    assert ("--memory" in failure.error.hint) is (out_of_memory is not False)
    assert ("often" in failure.error.hint) is (out_of_memory is None)
    assert failure.error.by == ("station" if out_of_memory else "author")
    assert (failure.reason == "out-of-memory") is (out_of_memory is True)


def test_a_process_of_the_train_may_be_what_was_killed() -> None:
    failure = TrainFailed(Ended(1, Reason.EXITED), "python", None, out_of_memory=True)
    assert failure.error.message.endswith("ended with status 1, after memory had run out")
    assert (failure.reason, failure.error.by) == ("out-of-memory", "station")


@pytest.mark.parametrize(
    ("ended", "message", "hint"),
    [
        (Ended(3, Reason.EXITED), "ended with status 3", "lines above"),
        (Ended(139, Reason.SIGNALLED, 11), "was killed by signal 11 (", "lines above"),
        (Ended(162, Reason.SIGNALLED, 34), "was killed by signal 34 (", "lines above"),
        (Ended(124, Reason.TIMED_OUT, 9), "ran longer than PHT_TIMEOUT=3600 ", "PHT_TIMEOUT"),
        (Ended(127, Reason.NOT_FOUND), "was not found", "master image"),
        (Ended(126, Reason.NOT_EXECUTABLE), "is not executable", "interpreter"),
    ],
)
def test_an_end_is_told_with_the_program_and_what_to_do(
    ended: Ended, message: str, hint: str
) -> None:
    failure = TrainFailed(ended, "python", 3600.0, None)
    assert failure.error.message.startswith(f"the train's command, python, {message}")
    assert hint in failure.error.hint
    assert (failure.error.code, failure.error.by) == ("train-failed", "author")

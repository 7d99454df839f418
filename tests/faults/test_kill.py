"""The runner is killed at any call that changes the disk, and started again (docs/crash-safety.md).

A process that is killed before its next change has made all earlier ones, so the kills before every
change show every state that the disk can be left in.
"""

from pathlib import Path

import pytest

from tests.faults.conftest import Trace
from tests.faults.second_stop import ALREADY_DONE, SecondStop, ends_of_phases
from tests.faults.strace import Call, Strace, spread

VISIT_KILLS = 50
HALF_KILLS = 10
RECOVERY_KILLS = 5
SIGKILLED = -9


@pytest.fixture(scope="session", params=["opening", "open", "sealing"])
def interrupted(
    request: pytest.FixtureRequest,
    arrived: SecondStop,
    strace: Strace,
    trace: Trace,
    tmp_path_factory: pytest.TempPathFactory,
) -> SecondStop:
    """The train in the middle of each phase, where its visit was killed."""
    visit = trace(arrived, "run")
    ends = ends_of_phases(visit)
    begin = ["opening", "open", "sealing"].index(request.param)
    train = arrived.copy_to(tmp_path_factory.mktemp("interrupted") / "train")
    middle = visit[(ends[begin] + ends[begin + 1]) // 2]
    assert kill(train, "run", middle, strace) == request.param
    return train


@pytest.mark.parametrize("number", range(VISIT_KILLS))
def test_a_killed_visit_is_finished_by_the_next_start(
    number: int, arrived: SecondStop, strace: Strace, trace: Trace, tmp_path: Path
) -> None:
    call = spread(trace(arrived, "run"), VISIT_KILLS)[number]
    train = arrived.copy_to(tmp_path / "train")
    train.finish(kill(train, "run", call, strace))


@pytest.mark.parametrize("number", range(RECOVERY_KILLS))
def test_a_visit_that_is_killed_again_while_recovering_is_finished_too(
    number: int, interrupted: SecondStop, strace: Strace, trace: Trace, tmp_path: Path
) -> None:
    second_start = trace(interrupted, "run")
    # With the first change of the configuration all is taken back, or sealed.
    recovery = second_start[: ends_of_phases(second_start)[0] + 2]
    train = interrupted.copy_to(tmp_path / "train")
    train.finish(kill(train, "run", spread(recovery, RECOVERY_KILLS)[number], strace))


@pytest.mark.parametrize("number", range(HALF_KILLS))
def test_a_killed_pre_run_is_repeated(
    number: int, arrived: SecondStop, strace: Strace, trace: Trace, tmp_path: Path
) -> None:
    call = spread(trace(arrived, "pre-run"), HALF_KILLS)[number]
    train = arrived.copy_to(tmp_path / "train")
    state = kill(train, "pre-run", call, strace)
    assert state in ("old", "opening", "open", "waiting")
    again = train.start("pre-run")
    assert again.status == (ALREADY_DONE if state == "waiting" else 0), again.stderr
    train.run_by_hand()
    assert train.start("post-run").status == 0
    train.require_end()


@pytest.mark.parametrize("number", range(HALF_KILLS))
def test_a_killed_post_run_is_repeated(
    number: int, waiting: SecondStop, strace: Strace, trace: Trace, tmp_path: Path
) -> None:
    call = spread(trace(waiting, "post-run"), HALF_KILLS)[number]
    train = waiting.copy_to(tmp_path / "train")
    state = kill(train, "post-run", call, strace)
    assert state in ("waiting", "sealing", "new")
    again = train.start("post-run")
    assert again.status == (ALREADY_DONE if state == "new" else 0), again.stderr
    train.require_end()


@pytest.mark.parametrize("number", range(HALF_KILLS))
def test_a_killed_undo_is_repeated(
    number: int, waiting: SecondStop, strace: Strace, trace: Trace, tmp_path: Path
) -> None:
    call = spread(trace(waiting, "undo"), HALF_KILLS)[number]
    train = waiting.copy_to(tmp_path / "train")
    state = kill(train, "undo", call, strace)
    assert state in ("waiting", "old")
    again = train.start("undo")
    assert again.status == (ALREADY_DONE if state == "old" else 0), again.stderr
    train.require_beginning()


def kill(train: SecondStop, command: str, call: Call, strace: Strace) -> str:
    """Kill a command just before one of its calls and return the state that this leaves."""
    ended = train.start(command, under=strace.injecting(call, "signal=KILL"))
    assert ended.status == SIGKILLED, ended.stderr
    return train.state()

"""The runner is killed at any call that changes the disk, and started again (docs/crash-safety.md).

A process that is killed before its next change has made all earlier ones, so the kills before every
change show every state that the disk can be left in. Opener and closer die with the supervisor.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Trace
from tests.faults.injection import kill
from tests.faults.second_stop import ALREADY_DONE, SecondStop, ends_of_phases
from tests.faults.strace import Strace, spread

VISIT_KILLS = {"arrived": 32, "arrived_by_route": 16}
"""The number of kills for a train that opens the results, and for one that opens two trees."""

HALF_KILLS = 10
RECOVERY_KILLS = 6
PHASES = ("opening", "open", "sealing")


@pytest.fixture(
    scope="session",
    params=[(name, phase) for name in VISIT_KILLS for phase in PHASES],
    ids=" in ".join,
)
def interrupted(
    request: pytest.FixtureRequest,
    strace: Strace,
    trace: Trace,
    tmp_path_factory: pytest.TempPathFactory,
) -> SecondStop:
    """Each train where its visit was killed in each phase.

    That is in its middle, or, with two trees, at its end, where both are changed.
    """
    name, phase = request.param
    arrived: SecondStop = request.getfixturevalue(name)
    visit = trace(arrived, "run")
    begin, end = ends_of_phases(visit)[PHASES.index(phase) :][:2]
    train = arrived.copy_to(tmp_path_factory.mktemp("interrupted") / "train")
    last = visit[end - 1 if arrived.has_route else (begin + end) // 2]
    assert kill(train, "run", last, strace) == phase
    return train


@pytest.mark.parametrize(
    ("name", "number"),
    [(name, number) for name, kills in VISIT_KILLS.items() for number in range(kills)],
)
def test_a_killed_visit_is_finished_by_the_next_start(
    name: str,
    number: int,
    request: pytest.FixtureRequest,
    strace: Strace,
    trace: Trace,
    tmp_path: Path,
) -> None:
    arrived: SecondStop = request.getfixturevalue(name)
    call = spread(trace(arrived, "run"), VISIT_KILLS[name])[number]
    train = arrived.copy_to(tmp_path / "train")
    train.finish(kill(train, "run", call, strace))


@pytest.mark.parametrize("number", range(RECOVERY_KILLS))
def test_a_visit_that_is_killed_again_while_recovering_is_finished_too(
    number: int, interrupted: SecondStop, strace: Strace, trace: Trace, tmp_path: Path
) -> None:
    second_start = trace(interrupted, "run")
    # The first change of the configuration restores everything, or seals it.
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
@pytest.mark.parametrize(
    ("command", "states", "require"),
    [
        ("post-run", ("waiting", "sealing", "new"), SecondStop.require_end),
        ("undo", ("waiting", "open", "old"), SecondStop.require_beginning),
    ],
    ids=["post-run", "undo"],
)
def test_a_killed_second_half_is_repeated(
    command: str,
    states: tuple[str, ...],
    require: Callable[[SecondStop], None],
    number: int,
    waiting: SecondStop,
    strace: Strace,
    trace: Trace,
    tmp_path: Path,
) -> None:
    call = spread(trace(waiting, command), HALF_KILLS)[number]
    train = waiting.copy_to(tmp_path / "train")
    state = kill(train, command, call, strace)
    assert state in states
    again = train.start(command)
    assert again.status == (ALREADY_DONE if state == states[-1] else 0), again.stderr
    require(train)


@pytest.mark.parametrize("number", range(HALF_KILLS))
def test_after_a_killed_undo_nothing_is_sealed_that_is_half_put_back(
    number: int, waiting: SecondStop, strace: Strace, trace: Trace, tmp_path: Path
) -> None:
    call = spread(trace(waiting, "undo"), HALF_KILLS)[number]
    train = waiting.copy_to(tmp_path / "train")
    state = kill(train, "undo", call, strace)
    if train.start("post-run").status == 0:
        assert state == "waiting"
        train.require_end()
    else:
        assert train.state() == state in ("open", "old")

"""The runner is killed or the disk fails while two trees are open: results and definition.

What happens between the two is of interest here; the rest is tried with one tree beside this.
"""

from pathlib import Path

import pytest

from tests.faults.conftest import Trace
from tests.faults.second_stop import SecondStop, ends_of_phases
from tests.faults.strace import Call, Strace, spread
from tests.faults.test_errors import fail, is_on_disk
from tests.faults.test_kill import kill

KILLS = 24
RECOVERY_KILLS = 6
ERRORS = 6
PHASES = ("opening", "open", "sealing")


@pytest.fixture(scope="session", params=PHASES)
def interrupted(
    request: pytest.FixtureRequest,
    arrived_by_route: SecondStop,
    strace: Strace,
    trace: Trace,
    tmp_path_factory: pytest.TempPathFactory,
) -> SecondStop:
    """The train at the end of each phase, where its visit was killed: both trees are changed."""
    visit = trace(arrived_by_route, "run")
    end = ends_of_phases(visit)[PHASES.index(request.param) + 1]
    train = arrived_by_route.copy_to(tmp_path_factory.mktemp("interrupted") / "train")
    assert kill(train, "run", visit[end], strace) == request.param
    return train


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_visit_is_finished_by_the_next_start(
    number: int, arrived_by_route: SecondStop, strace: Strace, trace: Trace, tmp_path: Path
) -> None:
    call = spread(trace(arrived_by_route, "run"), KILLS)[number]
    train = arrived_by_route.copy_to(tmp_path / "train")
    train.finish(kill(train, "run", call, strace))


@pytest.mark.parametrize("number", range(RECOVERY_KILLS))
def test_a_visit_that_is_killed_again_while_recovering_is_finished_too(
    number: int, interrupted: SecondStop, strace: Strace, trace: Trace, tmp_path: Path
) -> None:
    second_start = trace(interrupted, "run")
    recovery = second_start[: ends_of_phases(second_start)[0] + 2]
    train = interrupted.copy_to(tmp_path / "train")
    train.finish(kill(train, "run", spread(recovery, RECOVERY_KILLS)[number], strace))


@pytest.mark.parametrize("number", range(ERRORS))
def test_a_visit_that_the_disk_has_failed_is_finished_by_the_next_start(
    number: int, arrived_by_route: SecondStop, strace: Strace, trace: Trace, tmp_path: Path
) -> None:
    calls = [call for call in trace(arrived_by_route, "run") if _may_fail(call)]
    train = arrived_by_route.copy_to(tmp_path / "train")
    train.finish(fail(train, spread(calls, ERRORS)[number], "EIO", strace))


def test_code_that_was_damaged_before_the_next_start_is_not_committed(
    arrived_by_route: SecondStop, strace: Strace, trace: Trace, tmp_path: Path
) -> None:
    visit = trace(arrived_by_route, "run")
    train = arrived_by_route.copy_to(tmp_path / "train")
    end = ends_of_phases(visit)[PHASES.index("sealing") + 1]
    assert kill(train, "run", visit[end], strace) == "sealing"
    code = train.opt / "pht_train/entrypoint.sh"
    code.write_bytes(code.read_bytes()[:-1])

    done = train.start("run")

    assert (done.status, done.facts["code"]) == (74, "sealed-file-damaged")
    assert train.state() == "sealing"


def _may_fail(call: Call) -> bool:
    names = ("write", "rename", "mkdir", "unlink", "fsync", "syncfs")
    return call.name in names and is_on_disk(call)

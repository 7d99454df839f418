"""The disk fails while two trees are open: cases that one tree does not show."""

from pathlib import Path

import pytest

from tests.faults.conftest import Trace
from tests.faults.injection import fail, is_on_disk, kill
from tests.faults.second_stop import SecondStop, ends_of_phases
from tests.faults.strace import Call, Strace, spread

ERRORS = 6


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
    last = visit[ends_of_phases(visit)[-1] - 1]  # before its end, so both trees are sealed
    assert kill(train, "run", last, strace) == "sealing"
    code = train.opt / "pht_train/entrypoint.sh"
    code.write_bytes(code.read_bytes()[:-1])

    done = train.start("run")

    assert (done.status, done.facts["code"]) == (74, "sealed-file-damaged")
    assert train.state() == "sealing"


def _may_fail(call: Call) -> bool:
    names = ("write", "rename", "mkdir", "unlink", "fsync")
    return call.change in names and is_on_disk(call)

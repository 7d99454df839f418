"""The disk fails once, at any call that changes it: the visit says so, and is finished later."""

from pathlib import Path

import pytest

from tests.faults.conftest import Trace
from tests.faults.injection import fail, is_on_disk
from tests.faults.second_stop import SecondStop, ends_of_phases
from tests.faults.strace import Strace, spread

ERRORS = 10
WITHOUT_ROOM = ("write", "rename", "mkdir", "symlink", "fsync")
BROKEN = (*WITHOUT_ROOM, "unlink", "rmdir", "fchmod")


@pytest.mark.parametrize("number", range(ERRORS))
@pytest.mark.parametrize(("error", "names"), [("ENOSPC", WITHOUT_ROOM), ("EIO", BROKEN)])
def test_a_visit_that_the_disk_has_failed_is_finished_by_the_next_start(
    error: str,
    names: tuple[str, ...],
    number: int,
    arrived: SecondStop,
    strace: Strace,
    trace: Trace,
    tmp_path: Path,
) -> None:
    calls = [call for call in trace(arrived, "run") if call.change in names and is_on_disk(call)]
    train = arrived.copy_to(tmp_path / "train")
    state = fail(train, spread(calls, ERRORS)[number], error, strace)
    train.finish(state)


@pytest.mark.parametrize("number", range(6))
def test_an_error_once_the_train_has_succeeded_costs_no_results(
    number: int, arrived: SecondStop, strace: Strace, trace: Trace, tmp_path: Path
) -> None:
    calls = [call for call in trace(arrived, "run") if is_on_disk(call)]
    _, _, sealing, _ = ends_of_phases(calls)
    train = arrived.copy_to(tmp_path / "train")
    # The flush of the journal that says `sealing`, then the removal of the backup.
    state = fail(train, calls[sealing + 1 + number], "EIO", strace)
    assert (state, train.runs) == ("sealing", 1)
    train.finish(state)

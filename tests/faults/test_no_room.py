"""The runner is killed around `succeeded`, when results cannot be sealed yet.

By then the train has filled its disk to the last byte.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.injection import CLOSER, kill, kill_part, record_calls
from tests.faults.second_stop import ALREADY_DONE, SecondStop, ends_of_phases
from tests.faults.strace import Call, Strace, spread

KILLS = 10
PART_KILLS = 6
NO_ROOM = 74
ENDS = {"run": NO_ROOM, "run with room": 0, "undo": 0}
"""The exit statuses of the commands without a kill; all but the first begin in `succeeded`."""


@contextmanager
def on_small_disk(train: SecondStop, folder: Path) -> Iterator[SecondStop]:
    """Yield a copy of a train on a disk of its own, which it will fill."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], check=True)
    try:
        yield replace(train.copy_to(folder / "train"), fills=True)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def crowded(arrived: SecondStop, tmp_path: Path) -> Iterator[SecondStop]:
    with on_small_disk(arrived, tmp_path / "disk") as train:
        yield train


@pytest.fixture(scope="module")
def crowded_calls(
    arrived: SecondStop, strace: Strace, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Call]]:
    """The recorded calls of every command of ENDS."""
    folder = tmp_path_factory.mktemp("traced")
    calls = {}
    for number, command in enumerate(ENDS):
        with on_small_disk(arrived, folder / f"{number}") as train:
            prepared = before(command, train)
            logs = folder / f"{number}.calls"
            logs.mkdir()
            ended, calls[command] = record_calls(prepared, command.split()[0], strace, logs)
            assert ended.status == ENDS[command], ended.stderr
    return calls


def before(command: str, train: SecondStop) -> SecondStop:
    """Bring a train into the phase in which a command of ENDS begins."""
    if command == "run":
        return train
    refused = train.start("run")
    assert (refused.status, refused.code) == (NO_ROOM, "disk-full"), refused.stderr
    assert (train.state(), train.runs) == ("succeeded", 1)
    return train.with_room()


@pytest.mark.parametrize("number", range(KILLS))
def test_a_visit_killed_on_its_way_to_wait_for_room(
    number: int, crowded: SecondStop, crowded_calls: dict[str, list[Call]], strace: Strace
) -> None:
    calls = crowded_calls["run"]
    _, opened, _ = ends_of_phases(calls)
    state = kill(crowded, "run", spread(calls[opened:], KILLS)[number], strace)
    assert state in ("opening", "open", "succeeded")
    crowded.with_room().finish(state)


@pytest.mark.parametrize("number", range(PART_KILLS))
def test_a_closer_killed_on_its_way_to_wait_for_room(
    number: int, crowded: SecondStop, crowded_calls: dict[str, list[Call]], strace: Strace
) -> None:
    calls = [call for call in crowded_calls["run"] if call.part == CLOSER]
    state = kill_part(crowded, spread(calls, PART_KILLS)[number], strace)
    assert state in ("old", "open", "succeeded")  # of the old state only small files need room
    crowded.with_room().finish(state)


@pytest.mark.parametrize("number", range(KILLS))
def test_a_start_with_room_again_that_is_killed(
    number: int, crowded: SecondStop, crowded_calls: dict[str, list[Call]], strace: Strace
) -> None:
    train = before("run with room", crowded)
    state = kill(train, "run", spread(crowded_calls["run with room"], KILLS)[number], strace)
    assert state in ("succeeded", "sealing", "new")
    train.finish(state)
    assert train.runs == 1


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_undo_of_results_that_wait_for_room(
    number: int, crowded: SecondStop, crowded_calls: dict[str, list[Call]], strace: Strace
) -> None:
    train = before("undo", crowded)
    state = kill(train, "undo", spread(crowded_calls["undo"], KILLS)[number], strace)
    assert state in ("succeeded", "open", "old")
    again = train.start("undo")
    assert again.status == (ALREADY_DONE if state == "old" else 0), again.stderr
    train.require_beginning()


@pytest.mark.parametrize("number", range(KILLS))
def test_after_a_killed_undo_nothing_is_sealed_that_is_half_put_back(
    number: int, crowded: SecondStop, crowded_calls: dict[str, list[Call]], strace: Strace
) -> None:
    train = before("undo", crowded)
    train.finish(kill(train, "undo", spread(crowded_calls["undo"], KILLS)[number], strace))

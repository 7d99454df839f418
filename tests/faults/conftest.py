"""Fixtures of the fault tests: a train at its second stop, and the recorded calls of a command."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.injection import record_calls
from tests.faults.second_stop import SecondStop, build
from tests.faults.strace import Call, Strace, Unavailable

Trace = Callable[[SecondStop, str], list[Call]]


@pytest.fixture(scope="session")
def strace() -> Strace:
    """The tool, or the reason why these tests are skipped."""
    try:
        return Strace.find()
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> SecondStop:
    """The train before its second stop; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("arrived")
    return build(folder)


@pytest.fixture(scope="session")
def arrived_by_route(tmp_path_factory: pytest.TempPathFactory) -> SecondStop:
    """Like `arrived`, with a train whose definition travels encrypted too."""
    return build(tmp_path_factory.mktemp("arrived"), has_route=True)


@pytest.fixture(scope="session")
def waiting(arrived: SecondStop, tmp_path_factory: pytest.TempPathFactory) -> SecondStop:
    """The train of `arrived` after pre-run and its command; tests work on copies of it."""
    train = arrived.copy_to(tmp_path_factory.mktemp("waiting") / "train")
    assert train.start("pre-run").status == 0
    train.run_by_hand()
    assert train.state() == "waiting"
    return train


@pytest.fixture(scope="session")
def trace(strace: Strace, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """A function that records which calls a command makes on a copy of a train.

    Those of the opener come first, then those of the closer, then those of the supervisor, which
    makes all of a command other than `run`. Every test of a command needs the same record, so it is
    made once.
    """
    recorded: dict[tuple[Path, str], list[Call]] = {}

    def record(train: SecondStop, command: str) -> list[Call]:
        if (train.folder, command) not in recorded:
            folder = tmp_path_factory.mktemp("traced")
            copy = train.copy_to(folder / "train")
            ended, calls = record_calls(copy, command, strace, folder)
            assert ended.status == 0, ended.stderr
            recorded[train.folder, command] = calls
        return recorded[train.folder, command]

    return record

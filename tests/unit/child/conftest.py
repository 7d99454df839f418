"""Starters of runners."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.child.starter import Starter, as_pid_1


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path)
    yield starter
    starter.end_all()


@pytest.fixture(params=["pid 1", "another"])
def anywhere(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Starter]:
    """Starts runners as PID 1 and as any other process."""
    starter = Starter(tmp_path, as_pid_1() if request.param == "pid 1" else ())
    yield starter
    starter.end_all()

"""Fixtures of the tests of `simulate`."""

from pathlib import Path

import pytest

from tests.desk import plant
from tests.unit.simulating import DATA, TRAIN


@pytest.fixture
def train(tmp_path: Path) -> Path:
    return plant(tmp_path / "train", {"train.py": TRAIN, "query.json": "{}"})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return plant(tmp_path / "data", DATA)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def keep(tmp_path: Path) -> Path:
    return tmp_path / "kept"

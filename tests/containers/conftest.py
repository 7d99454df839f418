"""Fixtures of the container tests, beside those of `fixtures`: a train's image, a station."""

from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.visitor import SECOND, build_image, station_folder
from tests.station import settle


@pytest.fixture(scope="session")
def train_image(engine: Engine, runner_image: str) -> str:
    """The image of trains that are started as `python /opt/pht_train/train.py`."""
    return build_image(engine, runner_image, name="train-" + runner_image.partition(":")[2])


@pytest.fixture
def station(tmp_path: Path) -> list[str]:
    """The options of a container at the second station."""
    settle(tmp_path, SECOND)
    return station_folder(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder that a test shares with its train."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder

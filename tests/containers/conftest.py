"""Fixtures of the container tests: an engine and the images to start from.

What the machine lacks skips the tests that need it, with the reason; PHT_TEST_REQUIRE_ALL=1 turns
that into a failure.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.containers import images
from tests.containers.engine import Engine, Unavailable
from tests.containers.visitor import SECOND, build_image, station_folder
from tests.station import settle

Made = TypeVar("Made")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the container tests on one worker, so that they share their images.

    First of all hooks, because pytest-xdist reads the group in its own.
    """
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.container)
            item.add_marker(pytest.mark.xdist_group("containers"))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A working container engine, left without anything that the tests made in it."""
    found = _or_skip(Engine.connect)
    yield found
    found.remove_all()


@pytest.fixture(scope="session")
def base_image(engine: Engine) -> str:
    """The tag of a Debian with `python3` and `python`, without the runner."""
    return _or_skip(lambda: images.make_base(engine))


@pytest.fixture(scope="session")
def runner_image(engine: Engine, base_image: str) -> str:
    """The tag of the base image with the runner as its ENTRYPOINT."""
    return _or_skip(lambda: images.make_runner(engine))


@pytest.fixture(scope="session")
def train_image(engine: Engine, runner_image: str) -> str:
    """The image of trains that are started as `python /opt/pht_train/train.py`."""
    return build_image(engine, runner_image, name="train")


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


def _or_skip(make: Callable[[], Made]) -> Made:
    try:
        return make()
    except Unavailable as reason:
        pytest.skip(str(reason))

"""A visit of a train in an image."""

from pathlib import Path

from tests.containers.engine import Engine
from tests.containers.visitor import SECOND, Container, assert_visited, station_folder
from tests.station import settle


def visited(engine: Engine, image: str, opt: Path, folder: Path, *options: str) -> Path:
    """Send a train to the second station and return its `/opt` afterwards."""
    settle(folder, SECOND)
    container = Container.create(engine, image, opt, [*station_folder(folder), *options])
    assert_visited(container.run())
    return container.take(folder / "after")

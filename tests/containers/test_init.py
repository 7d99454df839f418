"""Under `docker run --init` the engine's init keeps its first environment while the train runs."""

from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.plain_options import ID, KEY
from tests.containers.visitor import WAITS, Container, arrived, assert_visited, shared


@pytest.mark.parametrize("more", [[], ["--cap-drop", "ALL"]], ids=" ".join)
def test_the_key_is_erased_from_the_environment_of_the_init(
    more: list[str], engine: Engine, train_image: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "hold").touch()
    options = [*ID, *KEY, "--init", *more, *shared(data)]
    container = Container.create(engine, train_image, arrived(tmp_path, WAITS), options)
    container.start()
    container.wait_until(lambda running: running.said(b"aboard"))

    command = engine.must("exec", container.id, "cat", "/proc/1/cmdline")
    environment = engine.must("exec", container.id, "cat", "/proc/1/environ")
    (data / "hold").unlink()

    assert b"init" in command
    assert b"STATION_ID=" in environment
    assert b"RSA_" not in environment
    assert_visited(container.ended())

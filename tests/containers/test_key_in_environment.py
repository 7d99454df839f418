"""A key by `docker run --env`: while the train runs, no environment in the container has it."""

from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import NOT_PID_1, not_in_gvisor, on_each_libc
from tests.containers.plain_options import ID, KEY
from tests.containers.visitor import WAITS, Container, arrived, assert_visited, shared


def running(engine: Engine, image: str, folder: Path, options: list[str]) -> Container:
    """Start a visit and return while its train runs, until the file `data/hold` is removed."""
    data = folder / "data"
    data.mkdir()
    data.chmod(0o777)
    (data / "hold").touch()
    options = [*ID, *KEY, *options, *shared(data)]
    container = Container.create(engine, image, arrived(folder, WAITS), options)
    container.start()
    container.wait_until(lambda running: running.said(b"aboard"))
    return container


def end(container: Container, folder: Path) -> None:
    """Let the train end, and check its visit."""
    (folder / "data" / "hold").unlink()
    done = container.ended()
    assert_visited(done)
    assert "key-absent" in done.facts["layers"]


@on_each_libc
def test_the_runner_has_no_key_in_its_environment(
    engine: Engine, train_image: str, tmp_path: Path
) -> None:
    container = running(engine, train_image, tmp_path, ["--cap-add", "SYS_PTRACE"])

    environment = engine.must("exec", container.id, "cat", "/proc/1/environ")

    assert b"STATION_ID=" in environment
    assert b"RSA_" not in environment
    end(container, tmp_path)


@not_in_gvisor("root may look at every process in its sandbox")
def test_other_processes_of_root_cannot_read_the_runner(
    engine: Engine, train_image: str, tmp_path: Path
) -> None:
    container = running(engine, train_image, tmp_path, [])

    for file in ("environ", "maps", "mem"):
        done = engine.call("exec", container.id, "cat", f"/proc/1/{file}")
        assert b"Permission denied" in done.stderr

    end(container, tmp_path)


@NOT_PID_1
@pytest.mark.parametrize("more", [[], ["--cap-drop", "ALL"]], ids=" ".join)
def test_the_key_is_erased_from_the_environment_of_the_init(
    more: list[str], engine: Engine, train_image: str, tmp_path: Path
) -> None:
    container = running(engine, train_image, tmp_path, ["--init", *more])

    command = engine.must("exec", container.id, "cat", "/proc/1/cmdline")
    environment = engine.must("exec", container.id, "cat", "/proc/1/environ")

    assert b"init" in command
    assert b"STATION_ID=" in environment
    assert b"RSA_" not in environment
    end(container, tmp_path)

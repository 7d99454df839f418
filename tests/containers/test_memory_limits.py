"""A train that needs more memory than its container has: the station is told which option helps."""

from pathlib import Path

from tests.containers.engine import Engine
from tests.containers.fixtures import MEMORY_LIMIT
from tests.containers.visitor import COUNTS, Container, arrived, assert_taken_back

FILLS_SHARED_MEMORY = """
import mmap
with open("/dev/shm/shared", "w+b") as file:
    file.truncate(2 * 1024 * 1024)
    with mmap.mmap(file.fileno(), 0) as shared:
        shared[:] = bytes(len(shared))
"""


@MEMORY_LIMIT
def test_a_train_that_needs_more_memory_than_it_may_have_fails_and_is_taken_back(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS + "bytearray(b'x') * 400_000_000")
    limits = ["--memory", "200m", "--memory-swap", "200m"]
    visitor = Container.create(engine, train_image, opt, [*station, *limits])

    done = visitor.run()

    assert done.status == 137, done.stderr
    assert (done.facts["result"], done.facts["reason"]) == ("train-failed", "out-of-memory")
    assert done.facts["by"] == "station"
    assert "pht: hint: make a new container with a larger --memory" in done.stderr
    assert_taken_back(visitor, opt, tmp_path / "after")


def test_a_train_that_needs_more_shared_memory_than_there_is_fails_and_is_taken_back(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS + FILLS_SHARED_MEMORY)
    visitor = Container.create(engine, train_image, opt, [*station, "--shm-size", "1m"])

    done = visitor.run()

    assert done.status == 135, done.stderr
    assert (done.facts["result"], done.facts["by"]) == ("train-failed", "station")
    assert "make a new container with a larger --shm-size" in done.stderr
    assert_taken_back(visitor, opt, tmp_path / "after")

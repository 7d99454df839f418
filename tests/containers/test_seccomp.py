"""Profiles of seccomp, and rights taken from root, that are stricter than an engine's own."""

from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import not_in_gvisor, on_each_libc
from tests.containers.profiles import forbidding
from tests.containers.visitor import (
    COUNTS,
    Container,
    arrived,
    assert_taken_back,
    assert_visited,
)

pytestmark = not_in_gvisor("it does not apply the engine's profile of seccomp")

THREADS = """
import os, pathlib, subprocess, threading
thread = threading.Thread(target=lambda: None)
thread.start()
thread.join()
out = subprocess.check_output(["echo", "started"])
(pathlib.Path(os.environ["PHT_RESULTS_DIR"]) / "out").write_bytes(out)
"""
CHOWN = ("chown", "fchown", "lchown", "fchownat")


@on_each_libc
def test_a_forbidden_faccessat2_does_not_mean_that_the_train_may_not_be_replaced(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    options = [*station, *forbidding(tmp_path, ["faccessat2"]), "--cap-drop", "DAC_OVERRIDE"]
    container = Container.create(engine, train_image, arrived(tmp_path, COUNTS), options)
    assert_visited(container.run())


@on_each_libc
@pytest.mark.parametrize("status", [0, 3])
def test_a_visit_ends_in_order_where_no_owner_can_be_set(
    status: int,
    engine: Engine,
    train_image: str,
    station: list[str],
    tmp_path: Path,
) -> None:
    opt = arrived(tmp_path, f"{COUNTS}raise SystemExit({status})")
    container = Container.create(engine, train_image, opt, [*station, *forbidding(tmp_path, CHOWN)])
    done = container.run()
    assert "may not give files" not in done.stderr
    if status == 0:
        assert_visited(done)
    else:
        assert (done.status, done.facts["state"]) == (status, "unchanged"), done.stderr
        assert_taken_back(container, opt, tmp_path / "after")


@on_each_libc
def test_a_train_has_threads_where_an_old_engine_forbids_clone3(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    """The C library falls back to clone only at ENOSYS, as the sandbox answers: its filter wins."""
    options = [*station, *forbidding(tmp_path, ["clone3"])]
    container = Container.create(engine, train_image, arrived(tmp_path, THREADS), options)
    assert_visited(container.run())

"""Visits in containers that fail, are stopped or killed, and are started again."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import reference, reference_route
from tests.containers.engine import Engine
from tests.containers.fixtures import NOT_PID_1, on_each_base
from tests.containers.visitor import (
    COUNTS,
    FIRST,
    LARGE,
    RUNS_TRAIN,
    TELLS,
    WAITS,
    Container,
    arrived,
    arrived_by_route,
    assert_taken_back,
    assert_visited,
    shared,
)
from tests.station import opened

KILLED, UNFINISHED = 137, 75


@pytest.mark.parametrize(
    ("init", "runner_image"),
    [([], "bookworm"), pytest.param(["--init"], "trixie", marks=NOT_PID_1), ([], "musl")],
    indirect=["runner_image"],
    ids=["PID 1", "under an init", "PID 1, musl"],
)
@pytest.mark.parametrize(
    ("script", "command", "status"),
    [
        (COUNTS + "raise SystemExit(1)", RUNS_TRAIN, 1),
        (COUNTS + "raise SystemExit(77)", RUNS_TRAIN, 77),
        (COUNTS + "import os; os.kill(os.getpid(), 9)", RUNS_TRAIN, 137),
        (COUNTS, ["/opt/pht_train/train.py"], 126),
        (COUNTS, ["Rscript", "/opt/pht_train/train.py"], 127),
        (COUNTS + "import time; time.sleep(60)", RUNS_TRAIN, 124),
    ],
    ids=["one", "like ours", "signal", "not executable", "not found", "timeout"],
)
def test_the_status_of_a_train_that_fails_is_passed_on_and_the_old_state_put_back(
    script: str,
    command: Sequence[str],
    status: int,
    init: list[str],
    engine: Engine,
    train_image: str,
    station: list[str],
    tmp_path: Path,
) -> None:
    opt = arrived(tmp_path, script)
    options = [*station, *init, "--env", "PHT_TIMEOUT=2"]
    container = Container.create(engine, train_image, opt, options, *command)
    done = container.run()
    assert done.status == status
    assert (done.facts["result"], done.facts["state"]) == ("train-failed", "unchanged")
    assert_taken_back(container, opt, tmp_path / "after")


@on_each_base
@pytest.mark.parametrize(
    ("script", "status"),
    [(WAITS, 143), (TELLS + WAITS, 3)],
    ids=["by the signal", "in its own way"],
)
def test_a_train_that_is_told_to_end_ends_and_the_old_state_is_put_back(
    script: str,
    status: int,
    engine: Engine,
    train_image: str,
    station: list[str],
    data: Path,
    tmp_path: Path,
) -> None:
    opt = arrived(tmp_path, script)
    (data / "hold").touch()
    container = Container.create(engine, train_image, opt, [*station, *shared(data)])
    container.start()
    container.wait_until(lambda running: running.said(b"aboard"))
    done = container.stop()
    assert (done.status, done.facts["result"]) == (status, "stopped")
    assert (b"told" in done.stdout) == (script != WAITS)
    assert_taken_back(container, opt, tmp_path / "after")


@pytest.mark.parametrize("volume", [False, True], ids=["in the container", "on a volume"])
def test_a_visit_killed_while_the_train_runs_is_made_again_by_the_same_container(
    volume: bool,
    engine: Engine,
    train_image: str,
    station: list[str],
    data: Path,
    tmp_path: Path,
) -> None:
    options = [*station, *shared(data), *(["--volume", "/opt/pht_results"] if volume else [])]
    container = Container.create(engine, train_image, arrived(tmp_path, WAITS), options)
    (data / "hold").touch()
    container.start()
    container.wait_until(lambda running: running.said(b"aboard"))
    assert container.kill().status == KILLED
    assert container.phase() == "open"
    (data / "hold").unlink()
    assert_visited(container.run())
    assert opened(container.take(tmp_path / "after")) == {"visits": b"2"}
    assert os.listdir(tmp_path / "after" / "opt" / "pht_results") == ["visits"]


@pytest.mark.parametrize("volume", [False, True], ids=["in the container", "on a volume"])
def test_encrypted_code_is_open_only_while_a_visit_is(
    volume: bool,
    engine: Engine,
    train_image: str,
    station: list[str],
    data: Path,
    tmp_path: Path,
) -> None:
    opt = arrived_by_route(tmp_path, WAITS + "raise SystemExit((data / 'fail').exists())")
    options = [*station, *shared(data), *(["--volume", "/opt/pht_train"] if volume else [])]
    container = Container.create(engine, train_image, opt, options)
    (data / "hold").touch()
    (data / "fail").touch()
    container.start()
    container.wait_until(lambda running: running.said(b"aboard"))
    assert container.kill().status == KILLED
    killed = container.take(tmp_path / "killed")
    assert (killed / "pht_train" / "train.py").read_text().startswith("import os")
    (data / "hold").unlink()
    assert container.run().status == 1
    assert_taken_back(container, opt, tmp_path / "failed")
    (data / "fail").unlink()
    assert_visited(container.run())
    assert opened(container.take(tmp_path / "after")) == {"visits": b"2"}
    sealed = tmp_path / "after" / "opt"
    key = reference.vector_key(FIRST, private=True)
    assert [*reference_route.decrypt_definition(sealed, key, FIRST)] == ["train.py"]
    assert os.listdir(sealed / "pht_train") == ["train.py"]


@pytest.mark.parametrize(
    ("how", "init", "runner_image"),
    [
        ("kill", [], "bookworm"),
        ("stop", [], "bookworm"),
        pytest.param("stop", ["--init"], "bookworm", marks=NOT_PID_1),
        pytest.param("stop", ["--init"], "trixie", marks=NOT_PID_1),
        ("stop", [], "musl"),
    ],
    indirect=["runner_image"],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_visit_interrupted_while_sealing_is_finished_without_a_second_run(
    how: str,
    init: list[str],
    engine: Engine,
    train_image: str,
    station: list[str],
    data: Path,
    tmp_path: Path,
) -> None:
    opt = arrived(tmp_path, LARGE)
    container = Container.create(engine, train_image, opt, [*station, *shared(data), *init])
    container.start()
    container.wait_until(lambda running: running.phase() == "sealing")
    done = container.kill() if how == "kill" else container.stop()
    assert done.status == (KILLED if how == "kill" else UNFINISHED)
    assert container.phase() == "sealing"
    if how == "stop":
        assert (done.code, done.facts["retry"]) == ("stopped-while-sealing", "yes")
    assert_visited(container.run())
    assert (data / "runs").read_text() == "x"
    results = opened(container.take(tmp_path / "after"))
    assert results.pop("visits") == b"2"
    assert [len(content) for content in results.values()] == [48 * 1024 * 1024] * 4

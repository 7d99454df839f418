"""A container of a simulation is made as that of a visit, or refused before the train runs."""

import json
import os
from pathlib import Path

import pytest

from tests.containers.fixtures import MEMORY_LIMIT, not_in_gvisor
from tests.containers.inspected import RECORDS, made
from tests.containers.site import Arrive, Client
from tests.desk import plant
from tests.station import Done, pht

REMOVES = """\
#!/bin/sh
[ "$1" != start ] || rm -r "{folder}"
exec "{docker}" "$@"
"""
"""A client that removes a folder before it starts a container."""

COMMAND = ["python", "/opt/pht_train/train.py"]
SUCCEEDS = "open('/opt/pht_results/1', 'w').close()\n"
MEMORY = ["--memory", "200m", "--memory-swap", "200m"]
PROXIES = {"proxies": {"default": {"httpProxy": "http://proxy:3128", "noProxy": "localhost"}}}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a train and the data of one station."""
    files = {"train/train.py": SUCCEEDS, "data/s/a.csv": "", "data/s/b.csv": ""}
    return plant(tmp_path / "desk", files)


def simulate(desk: Path, image: str, *words: str, programs: Path | None = None) -> Done:
    """Simulate with what follows `--`; `programs` are found before all others."""
    path = os.pathsep.join([*([str(programs)] if programs else []), os.environ["PATH"]])
    options: list[str | Path] = [desk / "train", "--data", desk / "data", "--image", image]
    return pht("simulate", *options, "--", *words, env={**os.environ, "PATH": path})


def test_it_is_made_as_that_of_a_visit(
    arrive: Arrive,
    client: Client,
    runner_image: str,
    desk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = tmp_path / "seen"
    programs = client(RECORDS, seen=seen)
    site = arrive(SUCCEEDS)
    plant(tmp_path / "config", {"config.json": json.dumps(PROXIES)})
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("HTTP_PROXY", "http://elsewhere:3128")

    visited = site.visit("-d", desk / "data" / "s", programs=programs, more=["--", *MEMORY])

    assert visited.status == 0, visited.stderr
    at_station = made(seen.read_bytes())

    simulated = simulate(desk, runner_image, *MEMORY, "--", *COMMAND, programs=programs)

    assert simulated.status == 0, simulated.stderr
    at_desk = made(seen.read_bytes())
    at_desk["config"]["Env"].remove("PHT_LOG=json")
    assert at_desk == at_station
    assert at_desk["host"]["Memory"] == 200 * 1024 * 1024


@MEMORY_LIMIT
def test_a_train_that_needs_more_memory_than_is_given_is_advised(
    runner_image: str, desk: Path
) -> None:
    plant(desk, {"train/train.py": "bytearray(b'x') * 400_000_000"})

    done = simulate(desk, runner_image, *MEMORY, "--", *COMMAND)

    assert (done.status, done.facts["reason"]) == (137, "out-of-memory"), done.stderr
    assert "pht: hint: memory ran out: have the train need less" in done.stderr


@not_in_gvisor("the message for such a place differs there")
def test_a_place_where_no_train_can_write_is_named(runner_image: str, desk: Path) -> None:
    plant(desk, {"train/train.py": "open('/placed', 'w')"})

    done = simulate(desk, runner_image, *COMMAND)

    assert done.status == 1
    assert "pht: hint: a train cannot write /placed" in done.stderr


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        (["--rm"], 64, "engine-options-unsuitable"),
        (["-it"], 64, "engine-options-unsuitable"),
        (["--no-such-option"], 71, "container-refused"),
        (["--device", "/dev/none"], 71, "container-refused"),
    ],
)
def test_options_with_which_no_visit_can_be_made_are_refused(
    options: list[str], status: int, code: str, runner_image: str, desk: Path
) -> None:
    done = simulate(desk, runner_image, *options, "--", *COMMAND)

    assert (done.status, done.code) == (status, code), done.stderr


def test_a_folder_that_the_engine_misses_only_when_it_starts_the_visit_is_named(
    client: Client, runner_image: str, desk: Path
) -> None:
    data = desk / "data" / "s"

    done = simulate(desk, runner_image, *COMMAND, programs=client(REMOVES, folder=data))

    assert (done.status, done.code) == (71, "folder-not-shared"), done.stderr
    assert f"does not see the folder {data} [" in done.stderr

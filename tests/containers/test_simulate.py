"""`pht simulate --image`: the author's train in real containers of a master image."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.engine import Engine, engine_address
from tests.containers.fixtures import not_in_gvisor
from tests.desk import plant
from tests.station import REPOSITORY, Done, finish, pht, start

FIXED = """\
import json, os, pathlib
results = pathlib.Path("/opt/pht_results/seen.json")
seen = json.loads(results.read_text()) if results.exists() else []
data = pathlib.Path("/opt/train_data")
seen.append([os.environ["STATION_ID"], os.environ["TRAIN_DATA_PATH"], sorted(os.listdir(data))])
assert "PHT_TIMEOUT" not in os.environ
results.write_text(json.dumps(seen))
"""
"""A train that knows the fixed paths only, as many that are published."""

COMMAND = ["python", "/opt/pht_train/train.py"]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a train and the data of three stations."""
    files = {"train/train.py": FIXED, "da,ta/s-1/rows.csv": "1"}
    return plant(tmp_path, {**files, "da,ta/s-2/a.csv": "2", "da,ta/s-2/b.csv": "3"})


@pytest.fixture(autouse=True)
def nothing_left(engine: Engine, tmp_path: Path) -> Iterator[None]:
    """Check that every container of a simulation is removed; other tests have theirs meanwhile."""
    yield
    mounts = engine.must("ps", "--all", "--no-trunc", "--format", "{{.Mounts}}").decode()
    assert not any(str(place) in mounts for place in (tmp_path, REPOSITORY / "build" / "demo"))


def simulate_arguments(desk: Path, image: str) -> list[str | Path]:
    folders: list[str | Path] = [
        desk / "train",
        "--data",
        desk / "da,ta",
        "--output",
        desk / "results",
    ]
    return ["simulate", *folders, "--image", image, "--", *COMMAND]


def simulate_in_image(desk: Path, image: str) -> Done:
    settings_of_the_desk = {"PHT_TIMEOUT": "nonsense"}
    return pht(*simulate_arguments(desk, image), env={**engine_address(), **settings_of_the_desk})


def test_code_with_fixed_paths_visits_every_station(runner_image: str, desk: Path) -> None:
    done = simulate_in_image(desk, runner_image)

    assert done.status == 0, done.stderr
    assert json.loads((desk / "results" / "seen.json").read_text()) == [
        ["s-1", "/opt/train_data/rows.csv", ["rows.csv"]],
        ["s-2", "/opt/train_data", ["a.csv", "b.csv"]],
    ]


def test_a_relative_command_is_found_from_the_working_folder(runner_image: str, desk: Path) -> None:
    project = 'workdir = "/opt/pht_train"\ncommand = ["python", "train.py"]\ndata = "da,ta"\n'
    plant(desk, {"pht.toml": project})
    words: list[str | Path] = ["simulate", desk / "train", "--route", "s-1"]

    done = pht(*words, "--image", runner_image, env=engine_address())

    assert done.status == 0, done.stderr


@not_in_gvisor("it does not show all of them in /proc")
def test_every_stop_has_the_protections_of_a_visit(runner_image: str, desk: Path) -> None:
    script = """
import errno, json, os
try:
    open("/usr/written", "w")
except OSError as error:
    assert error.errno in (errno.EACCES, errno.EROFS)
else:
    raise SystemExit("the files of the system can be changed")
lines = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines())
assert lines["NoNewPrivs"] == "1"
assert int(lines["CapBnd"], 16) == int(lines["CapEff"], 16) == 0
assert os.getuid() == 10001
assert "LD_PRELOAD" not in os.environ
"""
    plant(desk, {"train/train.py": script})

    done = simulate_in_image(desk, runner_image)

    assert done.status == 0, done.stderr


def test_a_train_that_fails_is_explained(runner_image: str, desk: Path) -> None:
    script = "import os\nif os.environ['STATION_ID'] == 's-2': raise SystemExit('bad data')"
    plant(desk, {"train/train.py": script})

    done = simulate_in_image(desk, runner_image)

    assert done.status == 1
    assert "pht: | bad data" in done.lines
    assert "stop 2 of 2, station s-2, stage command" in done.stderr
    assert done.facts["station"] == "s-2"
    assert not (desk / "results").exists()


def test_output_is_shown_and_warnings_are_repeated(runner_image: str, desk: Path) -> None:
    script = "import os, pathlib\nprint('at', os.environ['STATION_ID'], end='')\n"
    plant(desk, {"train/train.py": f"{script}pathlib.Path('Rplots.pdf').touch()"})
    command, *rest = simulate_arguments(desk, runner_image)

    done = pht(command, "-v", *rest, env=engine_address())

    assert done.status == 0, done.stderr
    assert [line for line in done.lines if "| " in line] == ["pht: | at s-1", "pht: | at s-2"]
    warnings = [line for line in done.lines if "warning: stops 1, 2: the train has left" in line]
    assert len(warnings) == 2
    assert "which are gone now: Rplots.pdf; only" in warnings[0]


def test_an_image_without_this_program_is_told_from_a_visit(base_image: str, desk: Path) -> None:
    plant(desk, {"train/train.py": "print('ran all the same')"})
    command, *rest = simulate_arguments(desk, base_image)

    done = pht(command, "--generation", "flat", *rest, env=engine_address())

    assert "pht: | ran all the same" in done.lines
    assert done.status == 1
    assert "the image has another ENTRYPOINT" in done.stderr
    assert "[runner-failed]" in done.stderr
    assert done.facts == {"result": "runner-failed", "status": "1", "station": "s-1"}


def test_an_image_that_is_not_here_is_not_fetched(engine: Engine, desk: Path) -> None:
    done = simulate_in_image(desk, "pht-test-absent:nothing")

    assert (done.status, done.code) == (66, "image-missing")


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({"PATH": "/nowhere"}, "the command docker is not installed"),
        ({"DOCKER_HOST": "unix:///nowhere"}, "the command docker version failed"),
    ],
    ids=["no client", "no engine"],
)
def test_a_machine_without_an_engine_says_so(env: dict[str, str], problem: str, desk: Path) -> None:
    done = pht(*simulate_arguments(desk, "any"), env=env)

    assert (done.status, done.code) == (71, "container-engine")
    assert problem in done.stderr


def test_nothing_is_left_of_a_simulation_that_is_interrupted(
    engine: Engine, runner_image: str, desk: Path
) -> None:
    waits = "import time, pathlib; pathlib.Path('/opt/train_data/x').exists(); time.sleep(60)"
    plant(desk, {"train/train.py": waits})
    process = start(*simulate_arguments(desk, runner_image), env=engine_address())
    assert process.stderr is not None
    while b"stop 1 of 2" not in process.stderr.readline():
        pass
    own = ["ps", "--quiet", "--filter", f"ancestor={runner_image}"]
    while not engine.must(*own):
        assert process.poll() is None

    process.send_signal(signal.SIGTERM)

    assert finish(process).status == 130


def test_the_demo_in_containers(runner_image: str, tmp_path: Path) -> None:
    demo = REPOSITORY / "examples" / "lung_survival" / "demo.py"
    done = subprocess.run(
        [sys.executable, "-B", demo, "--image", runner_image],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" visited ") == 18
    assert "equal to the pooled analysis: yes" in done.stdout


def test_make_demo_with_an_engine_that_does_not_answer_ends_at_once() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "demo", "ENGINE=docker"],
        cwd=REPOSITORY,
        env={**os.environ, "DOCKER_HOST": "unix:///nowhere"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert "no container engine answers; make demo needs none without ENGINE" in done.stderr
    assert done.stdout == ""

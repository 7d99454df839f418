"""The working folder, HOME and TMPDIR of a train in a container."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import not_in_gvisor
from tests.containers.plain_options import RECOMMENDED
from tests.containers.visitor import (
    COUNTS,
    WAITS,
    Container,
    arrived,
    assert_visited,
    build_image,
    shared,
)
from tests.station import opened

NOT_EXECUTABLE = ["/tmp" if word == "/tmp:exec" else word for word in RECOMMENDED]
ONLY_OPT = ["--read-only", "--volume", "/opt"]
OWN_TMP = not_in_gvisor("it mounts a /tmp in memory where there is none")

PLACES = [
    pytest.param([], "/tmp/pht-", "bookworm", id="none"),
    pytest.param(RECOMMENDED, "/tmp/pht-", "musl", id="recommended"),
    pytest.param(NOT_EXECUTABLE, "/opt/pht_results.tmp/", "bookworm", id="/tmp not executable"),
    pytest.param(ONLY_OPT, "/opt/pht_results.tmp/", "musl", id="/tmp read-only", marks=OWN_TMP),
]
"""Options of a container, the beginning of the paths in the scratch folder, and a base."""

WRITES = (
    COUNTS
    + """
import json, subprocess, sys
pathlib.Path("Rplots.pdf").write_text("a plot")
pathlib.Path("./opt/pht_results/x").write_text("x")
(pathlib.Path.home() / ".cache" / "library").mkdir(parents=True)
program = pathlib.Path(os.environ["TMPDIR"]) / "program"
program.write_text("#!/bin/sh\\nexec echo ran")
program.chmod(0o755)
said = subprocess.check_output([program]).decode()
print(json.dumps([os.getcwd(), os.environ["HOME"], os.environ["TMPDIR"], said]))
"""
)

LISTS = COUNTS + "import sys\nprint(os.getcwd(), *(os.listdir(path) for path in sys.argv[1:]))\n"


def left_in_opt(container: Container) -> set[str]:
    """Return the names directly below `/opt`, in a volume or not."""
    archive = container.engine.copy_out(container.id, "/opt")
    with tarfile.open(fileobj=io.BytesIO(archive)) as opt:
        return {Path(name).parts[1] for name in opt.getnames() if name.count("/") > 0}


@pytest.mark.parametrize(
    ("options", "beginning", "runner_image"), PLACES, indirect=["runner_image"]
)
def test_a_train_writes_where_it_works(
    options: list[str],
    beginning: str,
    engine: Engine,
    train_image: str,
    station: list[str],
    tmp_path: Path,
) -> None:
    opt = arrived(tmp_path, WRITES)
    container = Container.create(engine, train_image, opt, [*station, *options])

    done = container.run()

    assert_visited(done)
    *folders, said = json.loads(done.stdout)
    assert [folder.startswith(beginning) for folder in folders] == [True] * 3
    assert said == "ran\n"
    assert opened(container.take(tmp_path / "after")) == {"visits": b"2", "x": b"x"}
    assert "pht_results.tmp" not in left_in_opt(container)
    assert not [path for path in container.changes() if path.startswith("/tmp/pht-")]


def test_another_working_folder_of_an_image_stays(
    engine: Engine, runner_image: str, station: list[str], tmp_path: Path
) -> None:
    more = "WORKDIR /work/folder\nRUN chmod 777 .\n"
    image = build_image(engine, runner_image, name="workdir", more=more)
    opt = arrived(tmp_path, LISTS + "pathlib.Path('plot').touch()\nprint(os.listdir())\n")
    container = Container.create(engine, image, opt, station)

    done = container.run()

    assert_visited(done)
    assert done.stdout == b"/work/folder\n['plot']\n"


def test_relative_arguments_lead_to_the_same_files(
    engine: Engine, train_image: str, station: list[str], data: Path, tmp_path: Path
) -> None:
    (data / "rows.csv").touch()
    opt, command = arrived(tmp_path, LISTS), ("python", "opt/pht_train/train.py", "opt/train_data")
    container = Container.create(engine, train_image, opt, [*station, *shared(data)], *command)

    done = container.run()

    assert_visited(done)
    assert done.stdout.endswith(b" ['rows.csv']\n")


@OWN_TMP
def test_the_next_start_removes_what_a_kill_has_left(
    engine: Engine, train_image: str, station: list[str], data: Path, tmp_path: Path
) -> None:
    opt, options = arrived(tmp_path, WAITS), [*station, *ONLY_OPT, *shared(data)]
    (data / "hold").touch()
    container = Container.create(engine, train_image, opt, options)
    container.start()
    container.wait_until(lambda running: running.said(b"aboard"))
    assert container.kill().status == 137
    assert "pht_results.tmp" in left_in_opt(container)
    (data / "hold").unlink()

    assert_visited(container.run())

    assert "pht_results.tmp" not in left_in_opt(container)

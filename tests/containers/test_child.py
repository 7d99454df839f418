"""The supervised child as PID 1 of a container, and under the engine's own init."""

import json
import subprocess
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import NOT_PID_1, not_in_gvisor
from tests.supervised import Order, Report
from tests.terminal import Terminal
from tests.unruly import CHAIN, COUNTING, LEAVING

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.parametrize(
    ("place", "base_image"),
    [([], "bookworm"), pytest.param(["--init"], "trixie", marks=NOT_PID_1), ([], "musl")],
    indirect=["base_image"],
    ids=["pid 1", "init", "pid 1, musl"],
)
"""Options that make the runner PID 1, or a child of the engine's init, on every base."""

SIGINT, SIGTERM = 2, 15


@pytest.fixture(scope="module")
def image(engine: Engine, base_image: str) -> str:
    """The tag of an image with `tests.supervised` and the modules that it imports."""
    sources = [*REPOSITORY.glob("entrypoint/**/*.py")]
    sources += [REPOSITORY / "tests/__init__.py", REPOSITORY / "tests/supervised.py"]
    files = {f"pht/{path.relative_to(REPOSITORY)}": path.read_bytes() for path in sources}
    compiled = 'RUN ["python3", "-c", "import tests.supervised"]'  # also the standard library
    dockerfile = f"FROM {base_image}\nCOPY pht /pht\nWORKDIR /pht\n{compiled}\n"
    name = "supervised-" + base_image.partition(":")[2]
    return engine.build(name, {"Dockerfile": dockerfile.encode(), **files})


def runner(*command: str, **settings: Any) -> list[str]:
    order = Order(list(command), uuid.uuid4().hex, report=None, **settings)
    return ["python3", "-m", "tests.supervised", json.dumps(asdict(order))]


def report_of(stderr: bytes) -> Report:
    return Report(**json.loads(stderr.splitlines()[-1]))


@pytest.mark.parametrize("user", ["0", "1000"])
def test_the_status_of_the_train_is_passed_through(
    engine: Engine, image: str, place: list[str], user: str
) -> None:
    done = engine.run(image, *runner("sh", "-c", "exit 7"), options=[*place, "--user", user])
    assert report_of(done.stderr) == Report(7, "EXITED", None, None, [], True)


@not_in_gvisor("the limit counts what its own kernel needs")
def test_a_container_without_room_for_a_process_is_not_the_fault_of_the_command(
    engine: Engine, image: str, place: list[str]
) -> None:
    full = ["--pids-limit", "2" if place else "1"]
    done = engine.run(image, *runner("true"), options=[*place, *full])
    assert report_of(done.stderr) == Report(None, "no-process", None, None, [], True)


@pytest.mark.parametrize("code", [LEAVING, CHAIN], ids=["daemons", "chain"])
def test_nothing_that_the_train_left_outlives_it(
    engine: Engine, image: str, place: list[str], code: str
) -> None:
    done = engine.run(image, *runner("python3", "-c", code, "/pht"), options=place)
    assert report_of(done.stderr) == Report(0, "EXITED", None, None, [], True)


@not_in_gvisor("it lists no children of a process")
def test_orphans_are_reaped_while_the_train_runs(
    engine: Engine, image: str, place: list[str]
) -> None:
    code = """
import os, time
runner = os.getppid()
if os.fork() == 0:
    os.fork()
    os._exit(0)
os.wait()
time.sleep(0.5)
print(open(f"/proc/{runner}/task/{runner}/children").read().split() == [str(os.getpid())])
"""
    done = engine.run(image, *runner("python3", "-c", code), options=place)
    assert done.stdout == b"True\n"


@pytest.mark.parametrize(
    ("train", "status"),
    [("echo ready; exec sleep 600", 143), ("trap '' TERM; echo ready; sleep 600 & wait", 137)],
    ids=["obeys", "does not"],
)
def test_the_engine_stops_the_train(
    engine: Engine, image: str, place: list[str], train: str, status: int
) -> None:
    command = runner("sh", "-c", train, grace=0.5)
    container = engine.create(image, *command, options=place)
    with subprocess.Popen(
        [engine.client, "start", "--attach", container],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"ready\n"
        engine.must("stop", container)
        report = report_of(started.communicate()[1])
    assert report == Report(status, "STOPPED", SIGTERM, SIGTERM, [], True)


@not_in_gvisor("its terminal sends the signal to the train too")
def test_ctrl_c_on_the_terminal_of_the_container_reaches_the_train_once(
    engine: Engine, image: str, terminal: Terminal, place: list[str]
) -> None:
    command = runner("python3", "-c", COUNTING, "/dev/stdout", "SIGINT")
    options = ["--interactive", "--tty", *place]
    container = engine.create(image, *command, options=options)
    start = [engine.client, "start", "--attach", "--interactive", container]
    with subprocess.Popen(start, **terminal.streams()) as started:
        terminal.wait_for(b"ready")
        terminal.type(b"\x03")
        terminal.wait_for(f"{{{SIGINT}: 1}}".encode())
        terminal.wait_for(b'"STOPPED"')
        assert started.wait() == 0

"""A request to stop that comes while the program is still being loaded, as an image starts it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoint.process.stop import STOP_SIGNALS
from tests.bench.trains import Runner
from tests.faults.second_stop import COMMAND, SecondStop
from tests.faults.strace import Strace
from tests.station import PATIENCE_S


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program as an image has it."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def runner(home: Path) -> Runner:
    return Runner(home)


def stopped_at_first_module(
    command: list[str], number: int, home: Path, strace: Strace, train: SecondStop
) -> "subprocess.CompletedProcess[str]":
    """Send the program a signal when it opens the module that it loads first."""
    cache = home / "entrypoint" / "cli" / "__pycache__"
    bytecode = cache / f"main.{sys.implementation.cache_tag}.pyc"
    under = [strace.program, "--output", "/dev/null", "--trace=openat"]
    under += [f"--trace-path={bytecode}"]
    under += [f"--inject=openat:signal={signal.Signals(number).name.removeprefix('SIG')}", "--"]
    return subprocess.run(
        [*under, *command],
        env=train.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_visit_notes_it(
    number: int, home: Path, runner: Runner, strace: Strace, arrived: SecondStop, tmp_path: Path
) -> None:
    train = arrived.copy_to(tmp_path / "train")
    command = [*runner.command("run", train.root), "--", *COMMAND]
    done = stopped_at_first_module(command, number, home, strace, train)
    assert done.returncode == 128 + number, done.stderr
    assert "result=stopped" in done.stderr
    assert train.runs == 0
    assert train.state() == "old"


def test_another_command_ends_of_it(
    home: Path, runner: Runner, strace: Strace, arrived: SecondStop, tmp_path: Path
) -> None:
    train = arrived.copy_to(tmp_path / "train")
    command = runner.command("inspect", train.root)
    done = stopped_at_first_module(command, signal.SIGTERM, home, strace, train)
    assert done.returncode == -signal.SIGTERM
    assert done.stdout == ""

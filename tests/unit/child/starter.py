"""Starts runners, each in a process of its own, for the tests of the supervised child."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import pytest

from tests.station import PATIENCE_S, REPOSITORY
from tests.supervised import Order, Report, processes_of
from tests.unruly import COUNTING


class Supervised:
    """A runner that was started."""

    def __init__(self, process: "subprocess.Popen[bytes]", order: Order) -> None:
        self.process = process
        self.mark = order.mark
        self._report = order.report

    def wait_for(self, line: str) -> None:
        """Wait until the train has printed a line."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline().decode().strip() == line

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def report(self) -> Report:
        """Wait for the end."""
        assert self.process.wait(PATIENCE_S) == 0
        assert self._report is not None
        return Report(**json.loads(Path(self._report).read_text()))

    def output(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.read().decode().strip()


class Starter:
    """Starts runners, and ends what they leave."""

    def __init__(self, folder: Path, before: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._before = before
        self._started: list[Supervised] = []

    def order(self, *command: str, **settings: Any) -> Order:
        mark = uuid.uuid4().hex
        return Order(list(command), mark, str(self._folder / mark), **settings)

    def __call__(self, *command: str, **settings: Any) -> Supervised:
        """Start a runner for a command."""
        return self.start(self.order(*command, **settings))

    def python(self, code: str, *arguments: str, **settings: Any) -> Supervised:
        """Start a runner whose train is Python code."""
        return self(sys.executable, "-c", code, *arguments, **settings)

    def start(
        self,
        order: Order,
        before: tuple[str, ...] = (),
        stdin: int | IO[Any] = subprocess.DEVNULL,
        **settings: Any,
    ) -> Supervised:
        process = subprocess.Popen(
            [*self._before, *before, *runner(order)],
            cwd=REPOSITORY,
            stdin=stdin,
            stdout=settings.pop("stdout", subprocess.PIPE),
            **settings,
        )
        self._started.append(Supervised(process, order))
        return self._started[-1]

    def end_all(self) -> None:
        for started in self._started:
            with started.process:
                started.process.kill()
            for pid in processes_of(started.mark):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def runner(order: Order) -> list[str]:
    return [sys.executable, "-m", "tests.supervised", json.dumps(asdict(order))]


def counting(start: Starter, folder: Path, name: str) -> Order:
    return start.order(sys.executable, "-c", COUNTING, str(folder / "counts"), name)


def counted(folder: Path) -> dict[int, int]:
    counts = ast.literal_eval((folder / "counts").read_text())
    assert isinstance(counts, dict)
    return counts


def printed(code: str) -> bytes:
    """Return what Python code prints in a process of its own."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE).stdout


def without_right_to_kill() -> tuple[str, ...]:
    """Return the words before the command of a runner that may not kill other users' processes."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv for a runner without the capability to kill")
    return ("setpriv", "--bounding-set=-kill")


def as_pid_1() -> tuple[str, ...]:
    """Return the words before the command of a runner that becomes PID 1."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command += [] if os.geteuid() == 0 else ["--map-root-user"]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("needs unshare, and root or user namespaces, to become PID 1")
    return tuple(command)

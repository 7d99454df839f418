"""Measures the seconds and the memory of programs that run in processes of their own."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

PRE_RUN, POST_RUN = HALVES = ("pre-run", "post-run")
"""The two halves of a visit."""

UNDO, FAILED = REVERTED = ("undo", "a failed train")
"""Visits that end with the old state: undone after pre-run, or with a failed train."""

SAMPLE_S = 0.004

_READ_BYTES = 1024 * 1024

Command = Sequence[str | Path]

Run = Callable[[], Mapping[str, float]]
"""One run of a program; returns the seconds of each of its tasks."""


class Figure(NamedTuple):
    """Seconds and memory (see `memory_of`) that a program takes for one task.

    Attributes:
        memory: None if it was not measured.
    """

    seconds: float
    memory: int | None = None


@dataclass(frozen=True)
class Program:
    """A program with one or more tasks, which can be run any number of times.

    Attributes:
        command: returns the command for a task; called right before each run of it.
        tasks: their names, in the order in which they are run.
        prepare: called with the name of a task before each run of it, and not timed.
        data: a folder whose files are read into the page cache before each task.
        times_itself: whether the program prints its seconds as JSON; otherwise the time is that of
            the whole process.
        fails: tasks whose command has to fail.
    """

    command: Callable[[str], Command]
    tasks: Sequence[str] = HALVES
    prepare: Callable[[str], None] = lambda task: None
    data: Path | None = None
    times_itself: bool = False
    fails: Collection[str] = ()

    def run(self) -> dict[str, float]:
        """Run all tasks and return the seconds of each."""
        return {task: self._seconds(task) for task in self.tasks}

    def memory(self) -> dict[str, int]:
        """Run all tasks and return the memory of each."""
        return {
            task: memory_of(self._prepared(task), fails=task in self.fails) for task in self.tasks
        }

    def _seconds(self, task: str) -> float:
        seconds, printed = timed(self._prepared(task), fails=task in self.fails)
        return float(json.loads(printed)[task]) if self.times_itself else seconds

    def _prepared(self, task: str) -> Command:
        self.prepare(task)
        if self.data:
            _read_into_page_cache(self.data)
        return self.command(task)


def least_in_turn(runs: Mapping[str, Run], rounds: int) -> dict[str, dict[str, float]]:
    """Run several programs in turn and return the least seconds of each task.

    In turn, because a disturbance that lasts then meets all of them; the least, because a
    disturbance only ever makes a run longer.

    Args:
        runs: by name of the program.
        rounds: how often each program is run.

    Returns:
        By name of the program and of the task.
    """
    found: dict[str, list[Mapping[str, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return {
        name: {task: min(seconds[task] for seconds in all_rounds) for task in all_rounds[0]}
        for name, all_rounds in found.items()
    }


def figures(programs: Mapping[str, Program], rounds: int) -> dict[str, dict[str, Figure]]:
    """Measure programs: one run of each for memory, which also warms up, then `rounds` in turn.

    Returns:
        By name of the program and of the task.
    """
    memory = {name: program.memory() for name, program in programs.items()}
    least = least_in_turn({name: program.run for name, program in programs.items()}, rounds)
    return {
        name: {task: Figure(seconds, memory[name][task]) for task, seconds in tasks.items()}
        for name, tasks in least.items()
    }


def timed(command: Command, *, fails: bool = False) -> tuple[float, bytes]:
    """Run a command after a `sync`; return its seconds and its output.

    Args:
        fails: whether it has to fail.
    """
    os.sync()
    began = time.perf_counter()
    with _started(command, subprocess.PIPE, subprocess.PIPE) as process:
        output, errors = process.communicate()
        seconds = time.perf_counter() - began
    _check_status(process, errors, fails=fails)
    return seconds, output


def memory_of(command: Command, *, fails: bool = False) -> int:
    """Run a command and return the highest memory of it and all its descendants, in bytes.

    That is the peak RSS of each process, summed over those that exist at the same time. Shared
    pages count once for each process. The kernel keeps the peak of a process, so sampling misses
    only its last moments.

    Args:
        fails: whether it has to fail.
    """
    highest = 0
    with tempfile.TemporaryFile() as errors:  # a pipe could fill up, since nobody reads it
        with _started(command, subprocess.DEVNULL, errors) as process:
            while process.poll() is None:
                highest = max(highest, sum(map(_peak_rss, _descendants(process.pid))))
                time.sleep(SAMPLE_S)
        errors.seek(0)
        _check_status(process, errors.read(), fails=fails)
    return highest


def _read_into_page_cache(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            while file.read(_READ_BYTES):
                pass


def _started(command: Command, output: int, errors: int | IO[bytes]) -> "subprocess.Popen[bytes]":
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return subprocess.Popen(command, env=environment, stdout=output, stderr=errors)


def _check_status(process: "subprocess.Popen[bytes]", errors: bytes, *, fails: bool) -> None:
    if (process.returncode != 0) != fails:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}: {errors.decode()}")


def _descendants(pid: int) -> list[int]:
    """Return a process and all below it."""
    children: list[int] = []
    with suppress(OSError):  # it has just ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (thread / "children").read_text().split())
    return [pid, *(below for child in children for below in _descendants(child))]


def _peak_rss(pid: int) -> int:
    """Return the peak RSS of a process so far, in bytes; 0 if it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0

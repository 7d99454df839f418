"""Seconds and memory of a program that runs in processes of its own."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

PRE_RUN, POST_RUN = HALVES = ("pre-run", "post-run")
"""The two halves of a visit, as everything here names them."""

SAMPLE_S = 0.004

_READ_BYTES = 1024 * 1024

Command = Sequence[str | Path]


class Figure(NamedTuple):
    """What one program takes for one task.

    Attributes:
        memory: see `memory_of`; None if that was not looked at.
    """

    seconds: float
    memory: int | None = None


@dataclass(frozen=True)
class Program:
    """A program that opens results and seals them again, any number of times.

    Attributes:
        results: where they lie.
        command: returns what makes one of the HALVES.
        times_itself: whether that prints its seconds; else they are those of the whole process.
        arrive: called before each pre-run.
    """

    results: Path
    command: Callable[[str], Command]
    times_itself: bool = False
    arrive: Callable[[], None] = lambda: None

    def seconds(self, half: str) -> float:
        """Make a half, with everything in the page cache, and return how long that took.

        There a train lies that has just been pulled, or has just run.
        """
        for path in self.results.iterdir():
            with path.open("rb") as file:
                while file.read(_READ_BYTES):
                    pass
        seconds, printed = timed(self.command(half))
        return float(json.loads(printed)[half]) if self.times_itself else seconds

    def figures(self, rounds: int, before: Callable[[], None] = lambda: None) -> dict[str, Figure]:
        """Make all halves: once for their memory, and then `rounds` times for the least time.

        Args:
            rounds: at least 1.
            before: called before each round.
        """
        self.arrive()
        memory = {half: memory_of(self.command(half)) for half in HALVES}
        seconds: dict[str, list[float]] = {half: [] for half in HALVES}
        for _ in range(rounds):
            before()
            self.arrive()
            for half in HALVES:
                seconds[half].append(self.seconds(half))
        return {half: Figure(min(seconds[half]), memory[half]) for half in HALVES}


def timed(command: Command) -> tuple[float, bytes]:
    """Run a command on a disk that has nothing left to write; return its seconds and its output."""
    os.sync()
    began = time.perf_counter()
    with _started(command, subprocess.PIPE, subprocess.PIPE) as process:
        output, errors = process.communicate()
        seconds = time.perf_counter() - began
    _must_succeed(process, errors)
    return seconds, output


def memory_of(command: Command) -> int:
    """Run a command and return what it takes at most, in bytes, with all processes below it.

    That is the highest RSS that each has had, summed over those that exist at one time: rather too
    much, since what they share counts for each. The kernel keeps the highest RSS of a process, so
    that sampling misses only its last moments.
    """
    highest = 0
    with tempfile.TemporaryFile() as errors:  # a pipe would be full one day, and nobody reads it
        with _started(command, subprocess.DEVNULL, errors) as process:
            while process.poll() is None:
                highest = max(highest, sum(map(_highest_rss, _tree(process.pid))))
                time.sleep(SAMPLE_S)
        errors.seek(0)
        _must_succeed(process, errors.read())
    return highest


def _started(command: Command, output: int, errors: int | IO[bytes]) -> "subprocess.Popen[bytes]":
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return subprocess.Popen(command, env=environment, stdout=output, stderr=errors)


def _must_succeed(process: "subprocess.Popen[bytes]", errors: bytes) -> None:
    if process.returncode != 0:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}: {errors.decode()}")


def _tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    children: list[int] = []
    with suppress(OSError):  # it has just ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (thread / "children").read_text().split())
    return [pid, *(below for child in children for below in _tree(child))]


def _highest_rss(pid: int) -> int:
    """Return the highest RSS of a process so far, in bytes; 0 if it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0

"""Trains to measure with: their data, their route, and the program that makes their visits."""

import compileall
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import cryptography

from tests import reference
from tests.bench.generations import Generation
from tests.bench.measure import Program, timed
from tests.reference import STATIONS
from tests.station import REPOSITORY, USER_KEY, settle

MIB = 1024 * 1024

TRAIN = {"train.sh": b"", "train.py": b"import os; os.sync(); print('end', flush=True)\n"}
"""Two trains that do nothing; the second lets the disk come to rest for what follows."""


@dataclass(frozen=True)
class Workload:
    """Results of a train: `files` of `size` random bytes each."""

    name: str
    files: int
    size: int

    @property
    def total(self) -> int:
        """All bytes."""
        return self.files * self.size

    def fill(self, folder: Path) -> None:
        """Write the files."""
        for number in range(self.files):
            with (folder / f"result-{number:06}").open("wb") as file:
                for start in range(0, self.size, MIB):
                    file.write(os.urandom(min(MIB, self.size - start)))


class Route:
    """A train below `root` on its way through stations, which share the keys of the vectors.

    Args:
        root: what stands for `/`.
        stops: how many stations there are.
        generation: of the train.
    """

    def __init__(self, root: Path, stops: int, generation: Generation) -> None:
        keys = {station(number): reference.vector_key(_key_name(number)) for number in range(stops)}
        self.root = root
        self.opt = generation.build(root, TRAIN, USER_KEY, keys)
        self.results = self.opt / "pht_results"
        self._generation = generation
        self._next = 0

    def arrive(self) -> None:
        """Make the place of the next station."""
        settle_at(self.root, self._next)
        self._next += 1

    def symmetric_key(self) -> bytes:
        """Return the key of the results as they are sealed now."""
        return self._generation.symmetric_key(self.opt, USER_KEY)


def station(number: int) -> str:
    """Return the id of a stop, counted from 0."""
    return f"station-{number}"


def settle_at(root: Path, number: int) -> None:
    """Make the station folder of a stop."""
    settle(root, station(number), private_key_of(number))


def private_key_of(number: int) -> bytes:
    """Return the key (PEM) of a stop."""
    return reference.vector_key(_key_name(number), private=True)


def _key_name(number: int) -> str:
    return STATIONS[number % len(STATIONS)]


def at_last_stop(root: Path, stops: int, generation: Generation) -> Route:
    """Return a train without results that has made all its stops but one."""
    route = Route(root, stops, generation)
    if stops > 1:
        before = {station(number): private_key_of(number) for number in range(stops - 1)}
        generation.make_visits(route.opt, before)
    settle_at(root, stops - 1)
    return route


class Runner:
    """This program, laid out in a folder as an image has it: with its libraries and bytecode."""

    def __init__(self, folder: Path) -> None:
        installed = folder / "entrypoint"
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "entrypoint", installed, ignore=ignore)
        compileall.compile_dir(installed, quiet=1)
        (folder / "site").symlink_to(Path(cryptography.__file__).parents[1])
        self._start = [sys.executable, "-I", "-S", "-B", str(installed / "__main__.py")]

    def command(self, subcommand: str, root: Path, *rest: str) -> list[str]:
        """Return what starts a subcommand on the train below `root`."""
        return [*self._start, subcommand, "--root", str(root), *rest]

    def on(self, route: Route) -> Program:
        """Return the two halves of a visit on a route."""
        return Program(
            route.results, lambda half: self.command(half, route.root), arrive=route.arrive
        )


def sealed_route(
    runner: Runner, root: Path, stops: int, generation: Generation, workload: Workload
) -> Route:
    """Return a train that has made its first stop and carries the results of a workload."""
    route = Route(root, stops, generation)
    route.arrive()
    timed(runner.command("pre-run", root))
    workload.fill(route.results)
    timed(runner.command("post-run", root))
    return route

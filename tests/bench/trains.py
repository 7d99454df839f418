"""Trains to measure with, and this program laid out as in an image to make their visits."""

import compileall
import os
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cryptography
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests import reference_rsa
from tests.bench.generations import Generation
from tests.bench.measure import FAILED, PRE_RUN, REVERTED, UNDO, Program, timed
from tests.station import REPOSITORY, USER_KEY, settle

MIB = 1024 * 1024

PEERS = Path(__file__).with_name("peers")

KEY_BITS = 3072
"""Size of the stations' keys."""

EMPTY = "train.sh"
"""The script of an empty visit."""

FAILS = "fails.sh"
"""The script of a train that fails at once."""

OPENS = "opens.py"
"""The script that opens many files."""

TRAIN = {
    EMPTY: b"",
    FAILS: b"exit 1\n",
    OPENS: (PEERS / OPENS).read_bytes(),
    "train.py": b"import os; os.sync(); print('end', flush=True)\n",
}
"""The others do nothing; `train.py` flushes the disk before the post-run is timed."""


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
    """A train below `root` on its way through stations, which all have the same key.

    Args:
        root: a folder that takes the place of `/`.
        stops: number of stations.
        generation: of the train.
    """

    def __init__(self, root: Path, stops: int, generation: Generation) -> None:
        public = reference_rsa.public_pem(reference_rsa.private(private_key()))
        keys = {station_id(number): public for number in range(stops)}
        self.root = root
        self.opt = generation.build(root, TRAIN, USER_KEY, keys)
        self.results = self.opt / "pht_results"
        self._generation = generation
        self._next = 0

    def arrive(self) -> None:
        """Make the folder of the next station."""
        settle_at(self.root, self._next)
        self._next += 1

    def symmetric_key(self) -> bytes:
        """Return the key with which the results are encrypted at present."""
        return self._generation.symmetric_key(self.opt, USER_KEY)


def station_id(number: int) -> str:
    """Return the id of a stop, counted from 0."""
    return f"station-{number}"


def settle_at(root: Path, number: int) -> None:
    """Make the station folder of a stop."""
    settle(root, station_id(number), private_key())


@cache
def private_key() -> bytes:
    """Return the private key (PEM) of all stations."""
    return rsa.generate_private_key(65537, KEY_BITS).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def at_last_stop(root: Path, stops: int, generation: Generation) -> Route:
    """Return a train without results that has made all its stops but the last."""
    route = Route(root, stops, generation)
    if stops > 1:
        before = {station_id(number): private_key() for number in range(stops - 1)}
        generation.make_visits(route.opt, before)
    settle_at(root, stops - 1)
    return route


class Runner:
    """This program, laid out in a folder as in an image: with its libraries and bytecode.

    Args:
        folder: an empty one.
        checkout: the repository that it is copied from.
    """

    def __init__(self, folder: Path, checkout: Path = REPOSITORY) -> None:
        self.checkout = checkout
        installed = folder / "entrypoint"
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(checkout / "entrypoint", installed, ignore=ignore)
        compileall.compile_dir(installed, quiet=1)
        (folder / "site").symlink_to(Path(cryptography.__file__).parents[1])
        self._start = [sys.executable, "-I", "-S", "-B", str(installed / "__main__.py")]

    def command(self, subcommand: str, root: Path, *rest: str) -> list[str]:
        """Return the command line of a subcommand on the train below `root`."""
        return [*self._start, subcommand, "--root", str(root), *rest]

    def halves(self, route: Route) -> Program:
        """Return a program that makes both halves of a visit at the next stop of a route."""

        def arrive(half: str) -> None:
            if half == PRE_RUN:
                route.arrive()

        return Program(
            lambda half: self.command(half, route.root), prepare=arrive, data=route.results
        )

    def reverted(self, route: Route) -> Program:
        """Return a program that undoes a visit, and one whose train fails, where a route is."""
        commands = {
            UNDO: self.command("undo", route.root),
            FAILED: self.command("run", route.root, "--", "sh", f"/opt/pht_train/{FAILS}"),
        }

        def open_before_undo(task: str) -> None:
            if task == UNDO:
                timed(self.command(PRE_RUN, route.root))

        return Program(
            commands.__getitem__, REVERTED, open_before_undo, data=route.results, fails={FAILED}
        )

    def visits(self, route: Route, copy: Path) -> Program:
        """Return a program that makes a whole visit on a fresh copy of a train.

        Args:
            route: of the train.
            copy: the folder for the copy.
        """

        def renew(task: str) -> None:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(route.root, copy)

        visit = self.command("run", copy, "--", "sh", f"/opt/pht_train/{EMPTY}")
        return Program(lambda task: visit, tasks=("visit",), prepare=renew)


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

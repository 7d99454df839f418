"""Rows on this machine's own disk: halves of a visit, whole visits, and other programs beside."""

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from entrypoint.linux.mounts import mount_of
from tests.bench.generations import Generation
from tests.bench.measure import Command, Figure, Program, memory_of, timed
from tests.bench.plan import Bench, Row
from tests.bench.trains import Route, Workload, at_last_stop, sealed_route
from tests.containers.engine import Unavailable
from tests.interop import environments

PEERS = Path(__file__).with_name("peers")

ROOM = 6
"""How many times its size a workload may take on the disk: plain, sealed, kept and on the way."""

PUBLISHED_MEMORY = 9
"""How many times the size of the largest file the published package takes in memory, at most."""


def add_halves(bench: Bench, generation: Generation, workload: Workload, *, alone: bool) -> None:
    """Measure both halves of a visit; other programs work on the same files afterwards.

    Raises:
        Unavailable: there is not enough space on the disk.
    """
    if shutil.disk_usage(bench.folder).free < ROOM * workload.total:
        raise Unavailable(f"it needs {ROOM * workload.total} bytes on the disk")
    rounds = bench.plan.rounds
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        route = sealed_route(bench.runner, Path(folder), rounds + 2, generation, workload)
        limits: list[dict[str, float]] = []
        ours = bench.runner.on(route).figures(
            rounds, before=lambda: limits.append(bench.limits(generation))
        )
        published, loop = {}, {}
        if not alone:
            loop = _peer(Path(sys.executable), generation.loop, route).figures(rounds)
            try:
                python = published_python(generation, workload)
                published = _peer(python, generation.peer, route).figures(rounds)
            except Unavailable as reason:
                bench.left_out.append(
                    f"published {generation.published}, {workload.name}: {reason}"
                )
        bench.add_halves(
            generation, workload, mount_of(bench.folder).fs_type, ours, published, loop, limits
        )


def published_python(generation: Generation, workload: Workload) -> Path:
    """Return the Python with the published package, if it can handle the workload.

    Raises:
        Unavailable: the environment cannot be made, or there is not enough memory.
    """
    needed = PUBLISHED_MEMORY * workload.size
    if needed > _available_memory():
        raise Unavailable(f"it needs {needed} bytes of memory")
    return environments.make(generation.published)


def add_bare_interpreter(bench: Bench) -> None:
    """Measure what a visit cannot be shorter than."""
    bare = [sys.executable, "-I", "-S", "-c", "pass"]
    figure = _short(bench, lambda: bare)
    bench.rows.append(Row("", "a bare interpreter, `python3 -I -S -c pass`", "", figure))


def add_visits(bench: Bench, generation: Generation) -> None:
    """Measure visits in which there is nothing to compute: the first of all, and one of many."""
    stops = bench.plan.stops
    for task, count in (("an empty visit", 1), (f"a visit, the last of {stops:,} stops", stops)):
        with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
            route = at_last_stop(Path(folder), count, generation)
            figure = _short(bench, partial(_visit, bench, route))
        bench.rows.append(Row(generation.name, task, mount_of(bench.folder).fs_type, figure))


def _peer(python: Path, peer: str, route: Route) -> Program:
    start: list[str | Path] = [python, "-I", "-B", PEERS, peer, route.results]
    key = route.symmetric_key().hex()
    return Program(route.results, lambda half: [*start, key, half], times_itself=True)


def _short(bench: Bench, prepare: Callable[[], Command]) -> Figure:
    """Measure a command that `prepare` returns anew for every run."""
    memory = memory_of(prepare())
    seconds = [timed(prepare())[0] for _ in range(bench.plan.short_rounds)]
    return Figure(statistics.median(seconds), memory)


def _visit(bench: Bench, route: Route) -> Command:
    """Return the command of a whole visit on a fresh copy of a train."""
    copy = bench.folder / "visit"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(route.root, copy)
    return bench.runner.command("run", copy, "--", "sh", "/opt/pht_train/train.sh")


def _available_memory() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    [available] = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(available) * 1024

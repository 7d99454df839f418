"""Rows on this machine's own disk: halves of a visit, whole visits, and other programs beside."""

import shutil
import sys
import tempfile
from pathlib import Path

from entrypoint.linux.mounts import mount_of
from tests.bench import tools
from tests.bench.generations import Generation
from tests.bench.measure import REVERTED, Program, figures
from tests.bench.plan import LOOP, PUBLISHED, Bench, Row
from tests.bench.trains import PEERS, Route, Workload, at_last_stop, sealed_route
from tests.containers.engine import Unavailable
from tests.interop import environments

ROOM = 12
"""Free disk space that a workload needs, in multiples of its size, with the files of the tools."""

PUBLISHED_MEMORY = 9
"""Maximum memory of the published package, in multiples of the size of the largest file."""


def add_workload(bench: Bench, generation: Generation, workload: Workload, *, alone: bool) -> None:
    """Measure both halves of a visit, in turn with other programs unless `alone`.

    Then visits that end with the old state. This program and its peers work on the same files:
    each finds them encrypted and leaves them so.

    Raises:
        Unavailable: there is not enough space on the disk.
    """
    if shutil.disk_usage(bench.folder).free < ROOM * workload.total:
        raise Unavailable(f"it needs {ROOM * workload.total} bytes on the disk")
    rounds = bench.plan.rounds
    # The first stop seals the workload; visits at the last one are taken back.
    stops = 2 + (rounds + 1) * len(bench.runners)
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        route = sealed_route(bench.runner, Path(folder), stops, generation, workload)
        programs: dict[str, Program | None] = {
            name: runner.halves(route) for name, runner in bench.runners.items()
        }
        if not alone:
            programs |= _peers(bench, generation, workload, route)
            if workload.files == 1:
                place = Path(folder) / "tools"
                place.mkdir()
                programs |= tools.programs(place, workload)
        installed = {name: program for name, program in programs.items() if program}
        found = figures(installed, rounds)
        place_name = mount_of(bench.folder).fs_type
        bench.add_halves(
            generation, workload, place_name, {name: found.get(name) for name in programs}
        )
        route.arrive()
        reverted = figures(
            {name: one.reverted(route) for name, one in bench.runners.items()}, rounds
        )
    for task in REVERTED:
        by_program = {name: tasks[task] for name, tasks in reverted.items()}
        bench.rows.append(Row(generation.name, f"{task}, {workload.name}", place_name, by_program))


def add_visits(bench: Bench, generation: Generation) -> None:
    """Measure empty visits: of a train at its first stop, and at the last of many."""
    stops = bench.plan.stops
    for task, count in (("an empty visit", 1), (f"a visit, the last of {stops:,} stops", stops)):
        with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
            route = at_last_stop(Path(folder) / "train", count, generation)
            copy = Path(folder) / "copy"
            programs = {name: one.visits(route, copy) for name, one in bench.runners.items()}
            found = figures(programs, bench.plan.visits)
        visits = {name: tasks["visit"] for name, tasks in found.items()}
        bench.rows.append(Row(generation.name, task, mount_of(bench.folder).fs_type, visits))


def published_python(generation: Generation, workload: Workload) -> Path:
    """Return the Python with the published package, if it can handle the workload.

    Raises:
        Unavailable: the environment cannot be made, or there is not enough memory.
    """
    needed = PUBLISHED_MEMORY * workload.size
    if needed > _available_memory():
        raise Unavailable(f"it needs {needed} bytes of memory")
    return environments.make(generation.published)


def _peers(
    bench: Bench, generation: Generation, workload: Workload, route: Route
) -> dict[str, Program]:
    peers = {LOOP: _peer(Path(sys.executable), generation.loop, route)}
    try:
        python = published_python(generation, workload)
    except Unavailable as reason:
        bench.left_out.append(f"published {generation.published}, {workload.name}: {reason}")
        return peers
    return {PUBLISHED: _peer(python, generation.peer, route), **peers}


def _peer(python: Path, peer: str, route: Route) -> Program:
    def command(half: str) -> list[str | Path]:
        key = route.symmetric_key().hex()  # this program makes a new one in each visit
        return [python, "-I", "-B", PEERS, peer, route.results, key, half]

    return Program(command, data=route.results, times_itself=True)


def _available_memory() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    [available] = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(available) * 1024

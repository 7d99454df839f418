"""Rows of the sandbox: what it costs a train to be in it."""

import sys
import tempfile
from pathlib import Path

from entrypoint.linux.mounts import mount_of
from tests.bench.generations import FLAT
from tests.bench.measure import Command, Figure, Program, least_in_turn
from tests.bench.plan import INSIDE, OUTSIDE, Bench, Row
from tests.bench.trains import OPENS, Workload, at_last_stop

EMPTY_COMMAND = Path(__file__).with_name("empty_command.py")


def add_sandbox(bench: Bench) -> None:
    """Measure many opened files and an empty command, outside the sandbox and inside in turn."""
    workload = Workload(f"{bench.plan.opened:,} × 1 KiB", bench.plan.opened, 1024)
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        data, copy = Path(folder) / "data", Path(folder) / "copy"
        data.mkdir()
        workload.fill(data)
        route = at_last_stop(Path(folder) / "train", 1, FLAT)
        outside: Command = [sys.executable, route.opt / "pht_train" / OPENS, data]
        inside = [sys.executable, f"/opt/pht_train/{OPENS}", str(data)]
        opens = {
            OUTSIDE: Program(lambda task: outside, tasks=("opens",), times_itself=True),
            INSIDE: bench.runner.visits(route, copy, inside, prints="opens"),
        }
        _add(bench, f"{workload.name} opened and read by Python", opens, bench.plan.rounds)

        def empty_command(place: str) -> Program:
            command: Command = [sys.executable, EMPTY_COMMAND, route.root, place]
            return Program(lambda task: command, tasks=("start",), times_itself=True)

        starts = {place: empty_command(place) for place in (OUTSIDE, INSIDE)}
        _add(bench, "an empty command", starts, bench.plan.visits)


def _add(bench: Bench, task: str, programs: dict[str, Program], rounds: int) -> None:
    least = least_in_turn({name: program.run for name, program in programs.items()}, rounds)
    figures = {name: Figure(min(seconds.values())) for name, seconds in least.items()}
    bench.sandbox.append(Row(FLAT.name, task, mount_of(bench.folder).fs_type, figures))

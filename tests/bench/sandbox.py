"""Rows of the sandbox: what it costs a train to be in it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from entrypoint.author.container_options import OPTIONS
from entrypoint.linux.mounts import mount_of
from tests.bench.generations import FLAT
from tests.bench.in_container import driver, in_layers
from tests.bench.measure import Command, Figure, Program, Run, least_in_turn
from tests.bench.plan import INSIDE, OUTSIDE, Bench, Row
from tests.bench.trains import OPENS, Workload, at_last_stop
from tests.containers.engine import Engine
from tests.containers.visitor import station_folder

EMPTY_COMMAND = Path(__file__).with_name("empty_command.py")


def add_opens(bench: Bench, engine: Engine, image: str) -> None:
    """Measure many opened files of a station's data, in containers with the options of a visit."""
    workload = Workload(f"{bench.plan.opened:,} × 1 KiB", bench.plan.opened, 1024)
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        data = Path(folder) / "data"
        data.mkdir()
        workload.fill(data)
        route = at_last_stop(Path(folder) / "train", 1, FLAT)
        train = in_layers(engine, image, route.opt)
        start = [engine.client, "run", "--rm", "--label", engine.label, *OPTIONS]
        start += station_folder(route.root)
        start += ["--mount", f"type=bind,source={data},target=/opt/train_data,readonly"]
        script = [f"/opt/pht_train/{OPENS}", "/opt/train_data"]
        runs: dict[str, Run] = {
            OUTSIDE: partial(_printed, [*start, "--entrypoint", "python", train, *script]),
            INSIDE: partial(_printed, [*start, train, "python", *script]),
        }
        place = f"{driver(engine)}, in a container"
        _add(bench, f"{workload.name} opened and read by Python", runs, bench.plan.rounds, place)


def add_empty_command(bench: Bench) -> None:
    """Measure an empty command, outside the sandbox and inside in turn."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        route = at_last_stop(Path(folder) / "train", 1, FLAT)

        def empty_command(place: str) -> Run:
            command: Command = [sys.executable, EMPTY_COMMAND, route.root, place]
            return Program(lambda task: command, tasks=("start",), times_itself=True).run

        runs = {place: empty_command(place) for place in (OUTSIDE, INSIDE)}
        _add(bench, "an empty command", runs, bench.plan.visits, mount_of(bench.folder).fs_type)


def _printed(command: Sequence[str]) -> dict[str, float]:
    """Return the JSON that a program prints first."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seconds: dict[str, float] = json.loads(done.stdout.splitlines()[0])
    return seconds


def _add(bench: Bench, task: str, runs: Mapping[str, Run], rounds: int, place: str) -> None:
    least = least_in_turn(runs, rounds)
    figures = {name: Figure(min(seconds.values())) for name, seconds in least.items()}
    bench.sandbox.append(Row(FLAT.name, task, place, figures))

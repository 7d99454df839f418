"""Rows of whole stops: `visit.sh`, hand-over included, beside the container that it starts."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tests.bench.generations import Generation
from tests.bench.in_container import in_layers
from tests.bench.measure import Figure, Run, least_in_turn
from tests.bench.plan import OTHER, OURS, Bench, Row
from tests.bench.trains import Workload, at_last_stop, sealed_route, settle_at
from tests.containers.engine import Engine
from tests.containers.images import masters_of
from tests.containers.plain_options import RECOMMENDED
from tests.containers.visitor import Container, assert_visited, station_folder

CONTAINER, VALIDATED = ("the container", "validated")
"""The container of the visit alone; and the script with the station's `masters.json`."""

STOP = "stop"


def add_stop(
    bench: Bench,
    engine: Engine,
    masters: Mapping[str, str],
    images: Mapping[str, str],
    generation: Generation,
    workload: Workload,
) -> None:
    """Measure a stop, in turn with the container of the visit alone.

    Args:
        bench: takes the row.
        engine: runs the containers.
        masters: the master images, by the names of `Bench.runners`.
        images: what the measured train is built on, likewise.
        generation: of the train.
        workload: results with which it arrives; of no file at its first stop.
    """
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        root = Path(folder) / "train"
        if workload.files:
            route = sealed_route(bench.runner, root, 2, generation, workload)
            settle_at(root, 1)
        else:
            route = at_last_stop(root, 1, generation)
        trains = {name: in_layers(engine, image, route.opt) for name, image in images.items()}
        ours = partial(_by_script, engine, bench.runner.checkout, root, trains[OURS])
        runs: dict[str, Run] = {
            CONTAINER: partial(_container, engine, trains[OURS], root),
            OURS: ours,
            VALIDATED: partial(ours, masters_of(engine, masters[OURS])),
        }
        if other := bench.runners.get(OTHER):
            runs[OTHER] = partial(_by_script, engine, other.checkout, root, trains[OTHER])
        least = least_in_turn(runs, bench.plan.rounds)
    figures = {name: Figure(seconds[STOP]) for name, seconds in least.items()}
    bench.stops.append(Row(generation.name, workload.name, "", figures, workload.total))


def _container(engine: Engine, image: str, root: Path) -> dict[str, float]:
    os.sync()
    began = time.perf_counter()
    options = [*RECOMMENDED, *station_folder(root)]
    container = Container(engine, engine.create(image, options=options))
    done = container.run()
    seconds = time.perf_counter() - began
    assert_visited(done)
    engine.must("rm", "--volumes", container.id)
    return {STOP: seconds}


def _by_script(
    engine: Engine, checkout: Path, root: Path, image: str, masters: bytes | None = None
) -> dict[str, float]:
    repository = f"pht-test-{engine.session}-stop"
    for tag in ("base", "latest"):
        engine.must("tag", image, f"{repository}:{tag}")
    station = root / "run" / "pht"
    if masters:
        (station / "masters.json").write_bytes(masters)
    programs = f"{Path(sys.executable).parent}:{Path(engine.client).parent}"  # `pht` and `docker`
    variables = {"PATH": f"{programs}:{os.environ['PATH']}", "DOCKER_HOST": engine.address()}
    script = checkout / "examples" / "station" / "visit.sh"
    os.sync()
    began = time.perf_counter()
    done = subprocess.run(
        ["sh", script, "-s", station, "-l", "", repository],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    (station / "masters.json").unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr
    for tag in ("latest", "pht-unpushed"):  # what has left; the train itself is `base` too
        engine.must("image", "rm", "--force", f"{repository}:{tag}")
    return {STOP: seconds}

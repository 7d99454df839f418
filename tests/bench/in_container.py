"""Rows in containers: halves of a visit on the engine's file system, and empty visits.

Halves are measured in one plain `docker run`, by the times that the engine has noted for the start
of the container and for the lines of its log, so nothing observes the visit while it works.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from tests.bench.generations import FLAT, Generation
from tests.bench.measure import HALVES, Figure, Run, least_in_turn
from tests.bench.on_disk import published_python
from tests.bench.plan import LOOP, OURS, PUBLISHED, Bench, Row
from tests.bench.trains import (
    EMPTY,
    PEERS,
    Route,
    Workload,
    at_last_stop,
    sealed_route,
    settle_at,
    station_id,
)
from tests.containers.bases import make_base
from tests.containers.engine import Engine, Unavailable
from tests.containers.visitor import Container, assert_visited, build_image, station_folder
from tests.interop import environments

TRUE = "true"
"""The name of a container that only runs `true`."""

Seconds = dict[str, float]


def measured_image(engine: Engine, master: str) -> str:
    """Return the image that a measured train is built on, made from a master image."""
    return build_image(engine, master, name=f"bench-{master.rpartition(':')[2]}")


def make_other_master(engine: Engine, checkout: Path, master: str, base: str) -> str:
    """Build a master image from another checkout and return its tag.

    Raises:
        Unavailable: it cannot be built.
    """
    tag = f"pht-test-{engine.session}:other-{master}-on-{base}"
    variables = {"IMAGE": master, "BASE_IMAGE": make_base(engine, base), "TAG": tag}
    variables |= {"PYTHON": sys.executable, "BUILD": f"--quiet --label {engine.label}"}
    given = [f"{name}={value}" for name, value in variables.items()]
    command = ["make", "--directory", str(checkout), "wheels", "image", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"no image of {checkout}: {done.stderr.strip()[-500:]}")
    return tag


def describe(engine: Engine) -> str:
    """Return the version and the storage driver of the engine."""
    version = engine.must("version", "--format", "{{.Server.Version}}").decode().strip()
    return f"Docker {version}, {driver(engine)}"


def add_halves(
    bench: Bench, engine: Engine, image: str, generation: Generation, workload: Workload
) -> None:
    """Measure both halves of a visit, in turn with other programs on the same files."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        route = sealed_route(bench.runner, Path(folder), 2, generation, workload)
        settle_at(route.root, 1)
        train = in_layers(engine, image, route.opt)
        key = route.symmetric_key()
        runs: dict[str, Run] = {OURS: partial(_visit, engine, train, station_folder(route.root))}
        try:
            packages = _packages_of(published_python(generation, workload))
            runs[PUBLISHED] = partial(_peer, engine, train, generation.peer, key, packages)
        except Unavailable as reason:
            bench.left_out.append(
                f"published {generation.published} in a container, {workload.name}: {reason}"
            )
        runs[LOOP] = partial(_peer, engine, train, generation.loop, key)
        least = least_in_turn(runs, bench.plan.rounds)
        place = f"{driver(engine)}, in a container"
        found = {name: {half: Figure(least[name][half]) for half in HALVES} for name in runs}
        bench.add_halves(generation, workload, place, found)


def add_start(
    bench: Bench, engine: Engine, images: Mapping[str, str], place: str, *, published: bool
) -> None:
    """Measure an empty visit, in turn with the same container that only runs `true`.

    Args:
        bench: takes the row.
        engine: runs the containers.
        images: that the measured train is built on, by the names of `Bench.runners`.
        place: the image's name in the row.
        published: whether the protocol of the published package is measured too.
    """
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        route = at_last_stop(Path(folder), 1, FLAT)
        trains = {name: in_layers(engine, image, route.opt) for name, image in images.items()}
        options = station_folder(route.root)
        start = [engine.client, "run", "--rm", "--network", "none", "--label", engine.label]
        start += options
        runs: dict[str, Run] = {
            TRUE: partial(_seconds, [*start, "--entrypoint", "true", trains[OURS]])
        }
        for name, train in trains.items():
            visit = [*start, train, "sh", f"/opt/pht_train/{EMPTY}"]
            runs[name] = partial(_seconds, visit)
        if published:
            try:
                runs[PUBLISHED] = _published_visit(engine, trains[OURS], route)
            except Unavailable as reason:
                bench.left_out.append(f"published {FLAT.published}, {place}: {reason}")
        least = least_in_turn(runs, bench.plan.starts)
    figures = {name: Figure(seconds["visit"]) for name, seconds in least.items()}
    bench.starts.append(Row(FLAT.name, "an empty visit", place, figures))


def _published_visit(engine: Engine, train: str, route: Route) -> Run:
    """Return a run of the published package: its imports and its protocol on the train's image."""
    python = environments.make(FLAT.published)
    repository = f"pht-test-{engine.session}-published"
    engine.must("tag", train, f"{repository}:base")
    key = str(route.root / "run" / "pht" / "private_key.pem")
    script = str(PEERS / "published_visit.py")
    command = [str(python), "-I", script, f"{repository}:latest", station_id(0), key]

    def run() -> Seconds:
        engine.must("tag", train, f"{repository}:latest")  # the run before has replaced it
        return _seconds(command, DOCKER_HOST=engine.address())

    return run


def _seconds(command: Sequence[str], **variables: str) -> Seconds:
    os.sync()
    began = time.perf_counter()
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    assert done.returncode == 0, done.stderr
    return {"visit": seconds}


def in_layers(engine: Engine, image: str, opt: Path) -> str:
    """Return an image with a train in its layers."""
    container = Container(engine, engine.create(image))
    container.put(opt)
    return engine.must("commit", container.id).decode().strip()


def _visit(engine: Engine, image: str, options: Sequence[str]) -> Seconds:
    container = Container(engine, engine.create(image, options=options))
    os.sync()
    assert_visited(container.run())
    started = engine.must("inspect", "--format", "{{.State.StartedAt}}", container.id)
    log = engine.call("logs", "--timestamps", container.id)
    engine.must("rm", "--force", container.id)
    opened = _time_of_line(log.stderr, "step 6: the train runs")
    ended = _time_of_line(log.stdout, "end")
    sealed = _time_of_line(log.stderr, "result=visited")
    seconds = (opened - _time(started.decode()), sealed - ended)
    return dict(zip(HALVES, seconds, strict=True))


def _time_of_line(log: bytes, text: str) -> float:
    """Return when the engine read the line that contains a text."""
    [time] = [line.split()[0] for line in log.decode().splitlines() if text in line]
    return _time(time)


def _time(text: str) -> float:
    return datetime.fromisoformat(text.strip()).timestamp()


def _peer(
    engine: Engine, image: str, peer: str, key: bytes, packages: Path | None = None
) -> Seconds:
    """Run a program of `peers` with the libraries of the image, and with `packages` behind them."""
    options = ["--entrypoint", "python3", "--volume", f"{PEERS}:/peers:ro"]
    options += ["--env", "PYTHONPATH=/usr/local/lib/pht/site:/packages"]
    if packages:
        options += ["--volume", f"{packages}:/packages:ro"]
    command = ["-B", "/peers", peer, "/opt/pht_results", key.hex(), *HALVES]
    done = engine.run(image, *command, options=options)
    assert done.status == 0, done.stderr.decode()
    seconds: Seconds = json.loads(done.stdout)
    return seconds


def _packages_of(python: Path) -> Path:
    [packages] = python.parents[1].glob("lib/python*/site-packages")
    return packages


def driver(engine: Engine) -> str:
    return engine.must("info", "--format", "{{.Driver}}").decode().strip()

"""Rows inside containers: what a station waits for, on the file system of the engine.

A visit is one plain `docker run`. Its times are those that the engine has noted for the start of
the container and for the lines of its log, so that nothing looks on while it works.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from tests.bench.generations import FLAT, Generation
from tests.bench.measure import HALVES, Figure
from tests.bench.on_disk import PEERS, published_python
from tests.bench.plan import Bench, Row
from tests.bench.trains import Workload, at_last_stop, sealed_route, settle_at
from tests.containers.engine import Engine, Finished, Unavailable
from tests.containers.visitor import Container, assert_visited, build_image, station_folder

Seconds = dict[str, float]


def train_image(engine: Engine, runner_image: str) -> str:
    """Return the image that the measured train is built on."""
    return build_image(engine, runner_image, name=f"bench-{runner_image.rpartition(':')[2]}")


def describe(engine: Engine) -> str:
    """Return the version of the engine, and what it lays files on."""
    version = engine.must("version", "--format", "{{.Server.Version}}").decode().strip()
    return f"Docker {version}, {_driver(engine)}"


def add_halves(
    bench: Bench, engine: Engine, image: str, generation: Generation, workload: Workload
) -> None:
    """Measure both halves of a visit, and other programs on the same files."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        route = sealed_route(bench.runner, Path(folder), 2, generation, workload)
        settle_at(route.root, 1)
        train = _commit(engine, image, route.opt)
        key = route.symmetric_key()
        rounds = bench.plan.rounds
        limits: list[dict[str, float]] = []

        def visit() -> Seconds:
            limits.append(bench.limits(generation))
            return _visit(engine, train, station_folder(route.root))

        ours = _least(rounds, visit)
        loop = _least(rounds, lambda: _peer(engine, train, generation.loop, key))
        place = f"{_driver(engine)}, in a container"
        published = {}
        try:
            python = published_python(generation, workload)
            published = _least(
                rounds, lambda: _peer(engine, train, generation.peer, key, _packages_of(python))
            )
        except Unavailable as reason:
            bench.left_out.append(
                f"published {generation.published} in a container, {workload.name}: {reason}"
            )
        bench.add_halves(generation, workload, place, ours, published, loop, limits)


def add_start(bench: Bench, engine: Engine, image: str, master: str) -> None:
    """Measure an empty visit and, in turn with it, the same container that only runs `true`.

    Args:
        bench: takes the rows.
        engine: what runs the containers.
        image: of the measured train.
        master: what the rows call the image that it is built on.
    """
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        route = at_last_stop(Path(folder), 1, FLAT)
        train = _commit(engine, image, route.opt)
        options = station_folder(route.root)
        bare = partial(engine.run, train, options=[*options, "--entrypoint", "true"])
        command = ("sh", "/opt/pht_train/train.sh")
        visit = partial(engine.run, train, *command, options=options)
        both = [(_seconds(bare), _seconds(visit)) for _ in range(bench.plan.starts)]
    least, ours = map(statistics.median, zip(*both, strict=True))
    place = f"{_driver(engine)}, {master}"
    bench.rows.append(Row("", "`docker run … true`", place, Figure(least)))
    task = f"an empty visit, `docker run`: {ours / least:.2f} × `true`"
    bench.rows.append(Row(FLAT.name, task, place, Figure(ours)))


def _seconds(run: Callable[[], Finished]) -> float:
    started = time.perf_counter()
    done = run()
    assert done.status == 0, done.stderr.decode()
    return time.perf_counter() - started


def _commit(engine: Engine, image: str, opt: Path) -> str:
    """Return an image with a train in its layers."""
    container = Container(engine, engine.create(image))
    container.put(opt)
    return engine.must("commit", container.id).decode().strip()


def _least(rounds: int, measure: Callable[[], Seconds]) -> dict[str, Figure]:
    found = [measure() for _ in range(rounds)]
    return {half: Figure(min(seconds[half] for seconds in found)) for half in HALVES}


def _visit(engine: Engine, image: str, options: Sequence[str]) -> Seconds:
    container = Container(engine, engine.create(image, options=options))
    os.sync()
    assert_visited(container.run())
    started = engine.must("inspect", "--format", "{{.State.StartedAt}}", container.id)
    said = engine.call("logs", "--timestamps", container.id)
    engine.must("rm", "--force", container.id)
    opened = _noted(said.stderr, "step 6: ")
    ended = _noted(said.stdout, "end")
    sealed = _noted(said.stderr, "result=visited")
    seconds = (opened - _time(started.decode()), sealed - ended)
    return dict(zip(HALVES, seconds, strict=True))


def _noted(log: bytes, text: str) -> float:
    """Return when the engine has read the line that holds a text."""
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


def _driver(engine: Engine) -> str:
    return engine.must("info", "--format", "{{.Driver}}").decode().strip()

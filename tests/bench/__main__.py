"""Measures this program and what it is compared with: `make bench`."""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench import in_container, on_disk
from tests.bench.file_system import mounted
from tests.bench.generations import GENERATIONS
from tests.bench.machine import describe
from tests.bench.page import page
from tests.bench.plan import FULL, USUAL, Bench, Plan
from tests.bench.trains import Runner
from tests.containers.daemon import working_engine
from tests.containers.engine import Engine, Unavailable
from tests.containers.images import make_master
from tests.station import REPOSITORY

MASTERS = (("buster", "trixie"), ("buster", "bookworm"), ("slim", "musl"))
"""Master images, and the stand-ins for their bases, on which a start is measured."""

PAGE = REPOSITORY / "docs" / "benchmarks.md"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="measure results of 4 GiB too")
    plan = FULL if parser.parse_args().full else USUAL
    PAGE.write_text(measure(plan, REPOSITORY / "build"))
    _say(f"written to {PAGE.relative_to(REPOSITORY)}")


def measure(plan: Plan, folder: Path) -> str:
    """Carry out a plan below a folder and return the page."""
    machine = describe()
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix="bench-")))
        home = own / "home"
        home.mkdir()
        bench = Bench(plan, own, Runner(home))
        try:
            bench.folder = stack.enter_context(mounted(own))
            machine["file system"] = "ext4 with a journal, in a file of the disk"
        except Unavailable as reason:
            machine["file system"] = f"the disk's own, for no other can be made: {reason}"
        on_this_disk(bench)
        try:
            engine = stack.enter_context(working_engine())
            machine["engine"] = in_container.describe(engine)
            in_containers(bench, engine)
        except Unavailable as reason:
            bench.left_out.append(f"everything in a container: {reason}")
    return page(bench, machine)


def on_this_disk(bench: Bench) -> None:
    """Measure what needs no container."""
    on_disk.add_bare_interpreter(bench)
    for generation in GENERATIONS:
        _say(f"{generation.name}: visits")
        on_disk.add_visits(bench, generation)
        for workload in (*bench.plan.beside, *bench.plan.alone):
            _say(f"{generation.name}: {workload.name}")
            try:
                alone = workload in bench.plan.alone
                on_disk.add_halves(bench, generation, workload, alone=alone)
            except Unavailable as reason:
                bench.left_out.append(f"{workload.name}: {reason}")


def in_containers(bench: Bench, engine: Engine) -> None:
    """Measure in containers of an engine, and leave nothing of that in it."""
    try:
        images = {}
        for master, base in MASTERS:
            built = in_container.train_image(engine, make_master(engine, master, base))
            in_container.add_start(bench, engine, built, f"`{master}` on {base}")
            images[base] = built
        # The packages of the published program are for Python 3.11.
        image = images["bookworm"]
        for generation in GENERATIONS:
            for workload in bench.plan.contained:
                _say(f"{generation.name}: {workload.name} in a container")
                in_container.add_halves(bench, engine, image, generation, workload)
    finally:
        engine.remove_all()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

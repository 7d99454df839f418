"""Measures this program beside others and writes docs/benchmarks.md: `make bench`."""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.bench import in_container, on_disk
from tests.bench.file_system import mounted
from tests.bench.generations import GENERATIONS
from tests.bench.images import add_validation
from tests.bench.machine import describe, revision
from tests.bench.page import comparison, page
from tests.bench.plan import AGAINST, FULL, OTHER, OURS, USUAL, Bench, Plan
from tests.bench.sandbox import add_empty_command, add_opens
from tests.bench.stops import add_stop
from tests.bench.trains import Runner
from tests.containers.daemon import working_engine
from tests.containers.engine import Engine, Unavailable
from tests.containers.images import make_master
from tests.station import REPOSITORY

MASTERS = (("buster", "trixie"), ("buster", "bookworm"), ("slim", "musl"))
"""Master images, and the stand-ins for their bases, that make empty visits."""

PAGE = REPOSITORY / "docs" / "benchmarks.md"
BUILD = REPOSITORY / "build"


def main() -> None:
    """Write the page, or print the comparison with another checkout."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--full", action="store_true", help="measure results of 4 GiB too")
    what.add_argument(
        "--against",
        metavar="FOLDER",
        type=Path,
        help="instead, measure in turn with the version in this checkout, and print the result",
    )
    options = parser.parse_args()
    if options.against:
        print(measure(AGAINST, BUILD, options.against.resolve()))
        return
    PAGE.write_text(measure(FULL if options.full else USUAL, BUILD))
    _say(f"written to {PAGE.relative_to(REPOSITORY)}")


def measure(plan: Plan, folder: Path, against: Path | None = None) -> str:
    """Carry out a plan below a folder and return the page.

    Args:
        plan: what to measure.
        folder: is made if it does not exist.
        against: another checkout to compare this program with, instead of with other programs.
    """
    machine = describe()
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix="bench-")))
        checkouts = {OURS: REPOSITORY}
        if against:
            checkouts[OTHER] = against
            machine |= {name: revision(checkout) for name, checkout in checkouts.items()}
        bench = Bench(plan, own, _runners(own, checkouts))
        try:
            bench.folder = stack.enter_context(mounted(own))
            machine["file system"] = "ext4 with a journal, without discard, in a file of the disk"
        except Unavailable as reason:
            machine["file system"] = f"the disk's own, since no other can be made: {reason}"
        on_this_disk(bench)
        try:
            engine = stack.enter_context(working_engine())
            machine["engine"] = in_container.describe(engine)
            in_containers(bench, engine)
        except Unavailable as reason:
            bench.left_out.append(f"everything in a container: {reason}")
    return (comparison if against else page)(bench, machine)


def on_this_disk(bench: Bench) -> None:
    """Measure everything that needs no container."""
    for generation in GENERATIONS:
        _say(f"{generation.name}: visits")
        on_disk.add_visits(bench, generation)
        for workload in (*bench.plan.beside, *bench.plan.alone):
            _say(f"{generation.name}: {workload.name}")
            try:
                alone = workload in bench.plan.alone
                on_disk.add_workload(bench, generation, workload, alone=alone)
            except Unavailable as reason:
                bench.left_out.append(f"{workload.name}: {reason}")
    for pair in bench.plan.images:
        _say(f"an image of {pair.name}")
        try:
            add_validation(bench, pair)
        except Unavailable as reason:
            bench.left_out.append(f"an image of {pair.name}: {reason}")
    if bench.plan.opened:
        _say("the sandbox")
        add_empty_command(bench)


def in_containers(bench: Bench, engine: Engine) -> None:
    """Measure in containers of an engine, and leave nothing of that in it."""
    try:
        images = {}
        for master, base in MASTERS:
            _say(f"empty visits: {master} on {base}")
            tags = {OURS: make_master(engine, master, base)}
            if other := bench.runners.get(OTHER):
                tags[OTHER] = in_container.make_other_master(engine, other.checkout, master, base)
            built = {name: in_container.measured_image(engine, tag) for name, tag in tags.items()}
            place = f"`{master}` on {base}"
            in_container.add_start(bench, engine, built, place, published=not other)
            images[base] = built[OURS]
            if base == "bookworm":
                _add_stops(bench, engine, tags, built)
        # The packages of the published program are for Python 3.11.
        image = images["bookworm"]
        if bench.plan.opened:
            _say("opened files in a container")
            add_opens(bench, engine, image)
        for generation in GENERATIONS:
            for workload in bench.plan.contained:
                _say(f"{generation.name}: {workload.name} in a container")
                in_container.add_halves(bench, engine, image, generation, workload)
    finally:
        engine.remove_all()


def _add_stops(
    bench: Bench, engine: Engine, masters: Mapping[str, str], images: Mapping[str, str]
) -> None:
    for generation in GENERATIONS:
        for workload in bench.plan.stopped:
            _say(f"{generation.name}: a whole stop, {workload.name}")
            add_stop(bench, engine, masters, images, generation, workload)


def _runners(folder: Path, checkouts: dict[str, Path]) -> dict[str, Runner]:
    runners: dict[str, Runner] = {}
    for name, checkout in checkouts.items():
        home = folder / f"home-{len(runners)}"
        home.mkdir()
        runners[name] = Runner(home, checkout)
    return runners


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

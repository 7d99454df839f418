"""Makes trains of the jobs, and reads what they say about them."""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.containers.engine import Engine
from tests.containers.visitor import build_image
from tests.station import Done, new_train
from tests.work.jobs import train

SCRIPT = "/opt/pht_train/train.py"

JOBS = Path(__file__).with_name("jobs")

MAIN = """\
import sys
from jobs.train import main
if __name__ == "__main__":
    main(sys.argv[1:])
"""


def working_train(root: Path) -> Path:
    """Build a train with all jobs, before its first stop, and return `root/opt`."""
    files = {f"jobs/{path.name}": path.read_bytes() for path in sorted(JOBS.glob("*.*"))}
    return new_train(root, MAIN, files)


def work_image(engine: Engine, master: str) -> str:
    """Return the image of working trains on a master image."""
    return build_image(engine, master, name=f"work-{master.rpartition(':')[2]}")


def problems(done: Done) -> dict[str, str]:
    """Return the jobs that a train has done, and the problem of each, empty if there is none."""
    lines = [line for line in done.stdout.decode().splitlines() if line.startswith('{"job"')]
    return {line["job"]: line["problem"] for line in map(json.loads, lines)}


def assert_all_done(done: Done, modules: Sequence[str]) -> None:
    """Check that a visit has succeeded and that its train has done all jobs of some modules."""
    assert_done(done, [job for module in modules for job in train.jobs(module)])


def assert_done(done: Done, jobs: Sequence[str]) -> None:
    """Check that a visit has succeeded and that its train has done exactly these jobs."""
    found = problems(done)
    failed = [f"{job}: {problem}" for job, problem in found.items() if problem]
    assert not failed, "\n".join(failed)
    assert list(found) == list(jobs), done.stderr
    assert (done.status, done.facts["state"]) == (0, "sealed"), done.stderr

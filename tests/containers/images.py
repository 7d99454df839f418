"""Master images, built for the tests from the real Dockerfiles on the bases of this machine."""

import subprocess
import sys
from pathlib import Path

from tests.containers.bases import make_base
from tests.containers.engine import Engine, Unavailable

REPOSITORY = Path(__file__).parents[2]


def make_master(engine: Engine, master: str, base: str, packages: str = "plain") -> str:
    """Build a master image as `make image` does, and return its tag.

    Args:
        engine: where to build.
        master: a folder of `master_images` with a Dockerfile.
        base: one of `tests.containers.bases.BASES`.
        packages: the set of packages for trains.

    Raises:
        Unavailable: this machine cannot make the base, or cannot fetch the wheels.
    """
    tag = f"pht-test-{engine.session}:{master}-{base}-{packages}"
    named = {"MASTER": master, "PACKAGES": packages, "TAG": tag, "PYTHON": sys.executable}
    named |= {"BASE_IMAGE": make_base(engine, base), "BUILD": f"--quiet --label {engine.label}"}
    make("wheels", PACKAGES=packages, PYTHON=sys.executable)
    make("image", **named)
    return tag


def make(target: str, **variables: str) -> str:
    """Return what `make` printed; its failure means that the machine cannot do what is asked."""
    command = ["make", target, *(f"{name}={value}" for name, value in variables.items())]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"make {target} failed: {done.stderr.strip()[-500:]}")
    return done.stdout

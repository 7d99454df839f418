"""Master images, built for the tests from the real Dockerfiles on the bases of this machine."""

import subprocess
import sys

from tests.containers.bases import make_base
from tests.containers.engine import Engine, Unavailable
from tests.station import REPOSITORY, pht

HOME = "/usr/local/lib/pht"
"""Where the runner is in an image."""
PYTHON = [f"{HOME}/python", "-I", "-S", "-B"]
START = [*PYTHON, f"{HOME}/entrypoint/__main__.py", "--as-entrypoint"]
"""How a master image starts its interpreter, and its ENTRYPOINT."""


def make_master(engine: Engine, image: str, base: str, **more: str) -> str:
    """Build a master image on one of `tests.containers.bases.BASES`; see `make_master_on`."""
    name = f"{image}-on-{base}"
    return make_master_on(engine, image, make_base(engine, base), name, **more)


def make_master_on(engine: Engine, image: str, base_image: str, name: str, **more: str) -> str:
    """Build a master image as `make image` does, and return its tag.

    Args:
        engine: where to build.
        image: its name, as in `make image IMAGE=…`.
        base_image: the tag of what to build on.
        name: tells the images of the session apart.
        more: further variables for `make`.

    Raises:
        Unavailable: this machine cannot make the base, or cannot fetch the wheels.
    """
    tag = f"pht-test-{engine.session}:{name}"
    build = f"--quiet --label {engine.label}"
    variables = {"IMAGE": image, "BASE_IMAGE": base_image, "TAG": tag, **more}
    wheels = make("wheels", **variables)
    if wheels.returncode != 0:
        raise Unavailable(f"make wheels failed: {wheels.stderr.strip()[-500:]}")
    built = make("image", BUILD=build, **variables)
    assert built.returncode == 0, built.stderr
    return tag


def masters_of(engine: Engine, image: str) -> bytes:
    """Return the `masters.json` that describes a master image."""
    done = pht("describe-image", "-", stdin=engine.must("save", image))
    assert done.status == 0, done.stderr
    return done.stdout


def make(*targets: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Make targets, as the documents say, with the Python that runs the tests."""
    given = [f"{name}={value}" for name, value in variables.items()]
    # The tests may run in that environment: it must not be made anew below them.
    fixed = ["--assume-old=.venv/tests/ready", f"PYTHON={sys.executable}"]
    command = ["make", *targets, *fixed, *given]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

"""A base image keeps its old Python for trains, by the recipe that gives the runner its own."""

from pathlib import Path

import pytest

from tests.containers.bases import make_base
from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.images import PYTHON, make, make_master_on
from tests.containers.visitor import COUNTS, arrived, build_image
from tests.images.visits import visited
from tests.station import REPOSITORY, opened

RECIPE = REPOSITORY / "examples" / "old_python"
RUNNER_PYTHON = "/usr/local/lib/pht-python/bin/python3"

TELLS = COUNTS + "import sys\n(results / 'python').write_text(sys.version)\n"
VERSION = "import sys; print(sys.version)"


@pytest.fixture(scope="module")
def bullseye(engine: Engine) -> str:
    """Return a base image with Python 3.9."""
    return or_skip(lambda: make_base(engine, "bullseye"))


@pytest.fixture(scope="module")
def master(engine: Engine, bullseye: str) -> str:
    """Return the master image on what the recipe makes of that base image."""
    newer = or_skip(lambda: make_base(engine, "musl"))
    base = f"pht-test-{engine.session}:old-python"
    options = ["--network", "none", "--label", engine.label, "--tag", base]
    for argument in (f"BASE_IMAGE={bullseye}", f"PYTHON_IMAGE={newer}"):
        options += ["--build-arg", argument]
    engine.must("build", *options, str(RECIPE))
    more = {"RUNNER_PYTHON": RUNNER_PYTHON}
    return or_skip(lambda: make_master_on(engine, "buster", base, "buster-on-old-python", **more))


def test_trains_have_the_old_python_and_the_runner_the_newer_one(
    engine: Engine, master: str, tmp_path: Path
) -> None:
    of_runner = engine.run(master, *PYTHON[1:], "-c", VERSION, options=["--entrypoint", PYTHON[0]])
    assert of_runner.stdout.startswith(b"3.13.")

    train = build_image(engine, master, name="train-old-python")
    results = opened(visited(engine, train, arrived(tmp_path, TELLS), tmp_path))
    assert (results["visits"], results["python"][:4]) == (b"2", b"3.9.")


def test_without_the_recipe_the_refusal_names_it(engine: Engine, bullseye: str) -> None:
    build = f"--label {engine.label}"
    refused = make("image", IMAGE="buster", BASE_IMAGE=bullseye, BUILD=build)
    assert refused.returncode != 0
    assert "the runner needs Python 3.11" in refused.stderr + refused.stdout
    assert "docs/images.md" in refused.stderr + refused.stdout

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


def make_by_recipe(engine: Engine, base: str) -> str:
    """Build a master image on what the recipe makes of a base, and return its tag."""
    name = f"old-python-{base}"
    tag = f"pht-test-{engine.session}:{name}"
    options = ["--network", "none", "--label", engine.label, "--tag", tag]
    for argument, image in (("BASE_IMAGE", base), ("PYTHON_IMAGE", "musl")):
        options += ["--build-arg", f"{argument}={make_base(engine, image)}"]
    engine.must("build", *options, str(RECIPE))
    return make_master_on(engine, "buster", tag, f"on-{name}", RUNNER_PYTHON=RUNNER_PYTHON)


@pytest.mark.parametrize(
    ("base", "version"), [("bullseye", "3.9."), ("buildx", "3.13.")], ids=["older", "none at all"]
)
def test_trains_have_the_python_of_the_base_if_it_has_one(
    base: str, version: str, engine: Engine, tmp_path: Path
) -> None:
    master = or_skip(lambda: make_by_recipe(engine, base))
    of_runner = engine.run(master, *PYTHON[1:], "-c", VERSION, options=["--entrypoint", PYTHON[0]])
    assert of_runner.stdout.startswith(b"3.13.")

    train = build_image(engine, master, name=f"train-old-python-{base}")
    results = opened(visited(engine, train, arrived(tmp_path, TELLS), tmp_path))
    assert results["visits"] == b"2"
    assert results["python"].decode().startswith(version)


def test_without_the_recipe_the_refusal_names_it(engine: Engine) -> None:
    base = or_skip(lambda: make_base(engine, "bullseye"))
    refused = make("image", IMAGE="buster", BASE_IMAGE=base, BUILD=f"--label {engine.label}")
    assert refused.returncode != 0
    assert "the runner needs Python 3.11" in refused.stderr + refused.stdout
    assert "docs/images.md" in refused.stderr + refused.stdout

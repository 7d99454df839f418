"""The bake file, as buildx reads it, says the same as `make image`."""

import json
import shlex
from itertools import pairwise
from typing import Any

import pytest

from tests.containers.bases import make_base
from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.images import make
from tests.docs.pages import blocks
from tests.station import REPOSITORY

FOLDER = REPOSITORY / "master_images"
IMAGES = sorted(
    {path.parent.name for path in FOLDER.glob("*/Dockerfile")}
    | {path.stem for path in FOLDER.glob("packages/*.in")}
)
BUILDX = "/usr/libexec/docker/cli-plugins/docker-buildx"
TOLD = {"REVISION": "0123abc", "SOURCE": "https://git.example.org/pht"}


BOTH = ["linux/amd64", "linux/arm64"]


def bake(engine: Engine, *more: str) -> dict[str, Any]:
    """Return what buildx would build, by name."""
    image = or_skip(lambda: make_base(engine, "buildx"))
    file = "/docker-bake.hcl"
    options = ["--volume", f"{FOLDER}{file}:{file}:ro"]
    options += [f"--env={name}={value}" for name, value in TOLD.items()]
    command = ["bake", "--print", "--file", file, *more, "image"]
    done = engine.run(image, BUILDX, *command, options=options)
    assert done.status == 0, done.stderr.decode()
    targets: dict[str, Any] = json.loads(done.stdout)["target"]
    return targets


@pytest.fixture(scope="module")
def baked(engine: Engine) -> dict[str, Any]:
    """The targets that buildx would build without further options."""
    return bake(engine)


def test_one_call_builds_for_both_platforms(engine: Engine) -> None:
    [block] = blocks("platforms", pages=(REPOSITORY / "docs" / "images.md",))
    words = shlex.split(block.splitlines()[-1])
    targets = bake(engine, *words[:2])
    # Old releases of buildx leave the commas to the builder.
    platforms = {name: ",".join(target["platforms"]).split(",") for name, target in targets.items()}
    assert platforms == dict.fromkeys([*IMAGES, "r-base"], BOTH)


def test_every_master_image_can_be_baked(baked: dict[str, Any]) -> None:
    assert sorted(baked.keys() - {"r-base"}) == IMAGES


@pytest.mark.parametrize("image", IMAGES)
def test_bake_builds_what_make_builds(image: str, baked: dict[str, Any]) -> None:
    shown = make("--dry-run", "image", IMAGE=image, **TOLD).stdout.replace("\\\n", "")
    built = [described(line) for line in shown.splitlines() if "docker build" in line]

    target = dict(baked[image])
    below = target.pop("contexts", {})
    bases = [baked[name.removeprefix("target:")] for name in below.values()]
    assert built == [*bases, target]
    assert [tag for base in bases for tag in base["tags"]] == list(below)


def described(command: str) -> dict[str, Any]:
    """Return what `docker build` is told, in the words of the bake file."""
    words = shlex.split(command)
    given = list(pairwise(words))
    arguments = dict(value.split("=") for option, value in given if option == "--build-arg")
    return {
        "context": words[-1],
        "dockerfile": dict(given).get("--file", "Dockerfile"),
        "tags": [value for option, value in given if option == "--tag"],
        **({"args": arguments} if arguments else {}),
    }

"""Published stations compare a train's image with the master image before anything else."""

import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.images import masters_of
from tests.interop.authors import by_pht_build_route, by_pht_create_route
from tests.interop.conftest import Depart
from tests.interop.journey import OURS, ROUTE_STATIONS, THEIRS
from tests.station import pht

IMAGE_CHECK = Path(__file__).with_name("published_image_check.py")
PATIENCE_S = 120

AS_DOCUMENTED = 'FROM {master}\nCOPY opt /opt\nCMD ["python", "/opt/pht_train/train.py"]\n'

Check = Callable[[str], str]
"""Returns the reason for which published stations refuse an image, or an empty string."""


@pytest.fixture
def published_check(engine: Engine, published_route: Path) -> Check:
    """The check as the published package makes it."""

    def refusal(image: str) -> str:
        done = subprocess.run(
            [published_route, "-I", IMAGE_CHECK, image],
            env={**os.environ, "DOCKER_HOST": engine.address()},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return done.stderr.splitlines()[-1] if done.returncode else ""

    return refusal


def build_train_image(engine: Engine, master: str, opt: Path, dockerfile: str, name: str) -> str:
    """Build the image of a train from its folder, and return its tag."""
    files = {str(path.relative_to(opt.parent)): path for path in opt.rglob("*") if path.is_file()}
    context = {name: path.read_bytes() for name, path in files.items()}
    context["Dockerfile"] = dockerfile.format(master=master).encode()
    return engine.build(name, context)


def test_a_train_passes_behind_every_stop_of_a_mixed_route(
    engine: Engine,
    depart_route: Depart,
    published_check: Check,
    runner_image: str,
    shapes: dict[str, Path],
    tmp_path: Path,
) -> None:
    """Both our check of the image and that of published stations accept it."""
    train = depart_route(partial(by_pht_create_route, master_image=runner_image))
    masters = tmp_path / "masters.json"
    masters.write_bytes(masters_of(engine, runner_image))
    for kind, station in zip((OURS, THEIRS, OURS), ROUTE_STATIONS, strict=False):
        train.visit(kind, station, shapes["many"])
        image = f"{train.repository}:latest"
        assert published_check(image) == "", f"after {station}"
        ours = pht("validate-image", "--masters", masters, "-", stdin=engine.must("save", image))
        assert ours.status == 0, f"after {station}: {ours.stdout.decode()}"


def test_the_check_does_not_read_names_that_are_not_utf_8(
    depart_route: Depart, published_check: Check, runner_image: str, shapes: dict[str, Path]
) -> None:
    train = depart_route(partial(by_pht_create_route, master_image=runner_image))
    train.visit(OURS, ROUTE_STATIONS[0], shapes["awkward"])
    assert published_check(f"{train.repository}:latest").startswith("UnicodeEncodeError")


def test_an_image_by_pht_build_passes_and_one_with_a_file_more_does_not(
    engine: Engine,
    published_check: Check,
    runner_image: str,
    keys: dict[str, bytes],
    tmp_path: Path,
) -> None:
    repository = f"pht-test-{engine.session}/by-pht-build"
    by_pht_build_route(tmp_path, keys, runner_image, repository)
    assert published_check(f"{repository}:latest") == ""
    dockerfile = f"FROM {repository}:latest\nRUN touch /usr/local/bin/more\n"
    more = engine.build("one-file-more", {"Dockerfile": dockerfile.encode()})
    assert "Hashed file system comparison" in published_check(more)


def test_a_train_that_names_no_master_image_is_refused(
    engine: Engine,
    published_check: Check,
    runner_image: str,
    keys: dict[str, bytes],
    tmp_path: Path,
) -> None:
    opt = by_pht_create_route(tmp_path, keys)
    image = build_train_image(engine, runner_image, opt, AS_DOCUMENTED, "no-master-image")
    assert published_check(image).startswith("TypeError")


def test_a_master_image_that_was_built_again_is_another_one(
    engine: Engine,
    published_check: Check,
    runner_image: str,
    keys: dict[str, bytes],
    tmp_path: Path,
) -> None:
    """The histories have the times of building: a version is built once and keeps its tag."""
    first, again = (
        engine.build(name, {"Dockerfile": f"FROM {runner_image}\nLABEL number={name}\n".encode()})
        for name in ("built-first", "built-again")
    )
    opt = by_pht_create_route(tmp_path, keys, master_image=again)
    assert "History entries" in published_check(
        build_train_image(engine, first, opt, AS_DOCUMENTED, "from-the-first")
    )

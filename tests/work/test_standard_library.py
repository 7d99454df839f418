"""What trains do with the standard library, in containers and on this machine."""

import sys
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.plain_options import RECOMMENDED
from tests.containers.visitor import FIRST, Container, station_folder
from tests.station import pht, settle
from tests.work.works import SCRIPT, assert_all_done, work_image, working_train

COMMON = ("processes", "files", "system")
MODULES = {"bookworm": (*COMMON, "databases"), "musl": COMMON}
"""The jobs on each base: the stand-in for Alpine has neither SQLite nor OpenSSL."""


@pytest.mark.slow
def test_on_this_machine(tmp_path: Path) -> None:
    modules = MODULES["bookworm"]
    working_train(tmp_path)
    settle(tmp_path, FIRST)
    # As `simulate` starts it; else `/tmp`, where all this lies, is closed to the train.
    unprotected = {"PHT_ALLOW_UNPROTECTED_KEY": "1"}
    command = ["run", "--", sys.executable, SCRIPT, *modules]
    done = pht(*command, root=tmp_path, cwd=tmp_path, env=unprotected)
    assert_all_done(done, modules)


@pytest.mark.parametrize(
    ("runner_image", "options"),
    [("bookworm", ()), ("bookworm", RECOMMENDED), ("musl", RECOMMENDED)],
    indirect=["runner_image"],
    ids=["plain", "recommended", "recommended on musl"],
)
def test_in_a_container(
    options: list[str], engine: Engine, runner_image: str, tmp_path: Path
) -> None:
    settle(tmp_path, FIRST)
    modules = MODULES[runner_image.rpartition("-")[2]]
    image = work_image(engine, runner_image)
    command = ("python", SCRIPT, *modules)
    place = [*station_folder(tmp_path), *options]
    container = Container.create(engine, image, working_train(tmp_path), place, *command)
    assert_all_done(container.run(), modules)

"""What trains do with packages of Python, and in R, in containers with the documented options."""

import re
from pathlib import Path

from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.images import make_master
from tests.containers.plain_options import RECOMMENDED
from tests.containers.visitor import FIRST, Container, station_folder
from tests.station import Done, settle
from tests.work import compiler_packages
from tests.work.works import (
    JOBS,
    SCRIPT,
    assert_all_done,
    assert_done,
    work_image,
    working_train,
)

MODULES = ("packages", "compiler")


def visited(engine: Engine, master: str, folder: Path, *command: str, more: list[str]) -> Done:
    """Run a command of the working train in a container and return how it ended."""
    settle(folder, FIRST)
    opt, image = working_train(folder), work_image(engine, master)
    options = [*station_folder(folder), *RECOMMENDED, *more]
    return Container.create(engine, image, opt, options, *command).run()


def test_packages_of_python(engine: Engine, tmp_path: Path) -> None:
    master = or_skip(lambda: make_master(engine, "buster-science", "trixie"))
    packages = or_skip(compiler_packages.make)
    more = ["--volume", f"{packages}:/packages:ro", "--env", "PYTHONPATH=/packages"]
    done = visited(engine, master, tmp_path, "python", SCRIPT, *MODULES, more=more)
    assert_all_done(done, MODULES)


def test_r(engine: Engine, tmp_path: Path) -> None:
    master = or_skip(lambda: make_master(engine, "buster", "r"))
    done = visited(engine, master, tmp_path, "Rscript", "/opt/pht_train/jobs/work.R", more=[])
    script = (JOBS / "work.R").read_text()
    assert_done(done, re.findall(r"^    (\w+) = function", script, re.M))

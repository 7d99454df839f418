"""Fixtures of the container tests, beside those of `fixtures`: a train's image, a station."""

import itertools
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference
from tests.containers.engine import Engine
from tests.containers.site import RENAMES, Arrive, Client, Site
from tests.containers.visitor import (
    COUNTS,
    SECOND,
    Container,
    arrived,
    build_image,
    station_folder,
    unprotected_station,
)
from tests.station import REPOSITORY, new_train, settle

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def train_image(engine: Engine, runner_image: str) -> str:
    """The image of trains that are started as `python /opt/pht_train/train.py`."""
    return build_image(engine, runner_image, name="train-" + runner_image.partition(":")[2])


@pytest.fixture
def station(tmp_path: Path) -> list[str]:
    """The options of a container at the second station."""
    settle(tmp_path, SECOND)
    return station_folder(tmp_path)


@pytest.fixture
def unprotected(tmp_path: Path) -> list[str]:
    """The options of a container at the second station whose train is not protected."""
    return unprotected_station(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder that a test shares with its train, whose user may write there."""
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def pht_program(tmp_path: Path) -> Path:
    """A folder with the command `pht`, as on the host of a station."""
    folder = tmp_path / "programs"
    folder.mkdir()
    command = f'#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -m entrypoint "$@"\n'
    (folder / "pht").write_text(command)
    (folder / "pht").chmod(0o755)
    return folder


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """A function that makes a `docker` of a text and gives its folder."""

    def make(text: str, **values: object) -> Path:
        folder = tmp_path / "client"
        folder.mkdir(exist_ok=True)
        docker = folder / "docker"
        docker.write_text(text.format(docker=shutil.which("docker"), **values))
        docker.chmod(0o755)
        return folder

    return make


@pytest.fixture
def arrive(engine: Engine, train_image: str, tmp_path: Path) -> Arrive:
    """A function that lets a new train arrive in a repository of its own."""

    def build(
        script: str = RENAMES,
        registry: str = "",
        author: Callable[[Path, str], Path] = new_train,
        change: Callable[[Path], object] = lambda opt: None,
    ) -> Site:
        repository = f"{registry}pht-test-{engine.session}/script-{next(_NUMBERS)}"
        container = Container(engine, engine.create(train_image))
        opt = author(Path(tempfile.mkdtemp(dir=tmp_path)), script)
        change(opt)
        container.put(opt)
        site = Site(engine, repository, tmp_path)
        site.build(container)
        return site

    return build


@pytest.fixture(scope="session")
def arrived_opt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A train that has arrived at its second stop."""
    return arrived(tmp_path_factory.mktemp("arrived"), COUNTS)


@pytest.fixture(scope="session")
def arrived_image(engine: Engine, train_image: str, arrived_opt: Path) -> str:
    """The image of a train that has arrived at its second stop, as a station pulls it."""
    builder = Container(engine, engine.create(train_image))
    builder.put(arrived_opt)
    return engine.must("commit", builder.id).decode().strip()


@pytest.fixture(scope="session")
def owned_image(engine: Engine, runner_image: str, arrived_opt: Path) -> str:
    """Like `arrived_image`, but /opt and the train belong to user 1000."""
    command = 'CMD ["python", "/opt/pht_train/train.py"]'
    own = 'COPY --chown=1000 opt /opt\nRUN ["chown", "1000", "/opt"]'
    files = {
        f"opt/{path}": file.content for path, file in reference.result_files(arrived_opt).items()
    }
    dockerfile = f"FROM {runner_image}\n{own}\n{command}\n"
    return engine.build("own", {"Dockerfile": dockerfile.encode(), **files})

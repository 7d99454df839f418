"""`pht simulate --image` with an engine that does not have the folders of the author's desk."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.containers.daemon import engine_elsewhere
from tests.containers.engine import client, pack
from tests.containers.fixtures import or_skip
from tests.desk import plant
from tests.station import Done, pht

IMAGE = "pht-test-elsewhere:latest"
"""An image without files: nothing of it is ever started."""


@dataclass(frozen=True)
class Elsewhere:
    """An engine with another folder in the place `hidden`.

    Attributes:
        docker: the client.
        address: of the engine.
        hidden: a folder of this machine.
    """

    docker: str
    address: str
    hidden: Path

    def call(self, *arguments: str, stdin: bytes = b"") -> str:
        command = [self.docker, "--host", self.address, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, check=True)
        return done.stdout.decode()

    def simulate(self, data: Path, temporary: Path) -> Done:
        """Simulate a train that never starts."""
        command = ["--", "python", "/opt/pht_train/train.py"]
        options: list[str | Path] = [data.with_name("train"), "--data", data, "--image", IMAGE]
        environment = {"DOCKER_HOST": self.address, "TMPDIR": str(temporary)}
        return pht("simulate", *options, *command, env=environment)


@pytest.fixture(scope="module", params=["dockerd", "podman"])
def elsewhere(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Elsewhere]:
    docker, hidden = or_skip(client), tmp_path_factory.mktemp("hidden")
    with ExitStack() as stack:
        address = or_skip(lambda: stack.enter_context(engine_elsewhere(request.param, hidden)))
        found = Elsewhere(docker, address, hidden)
        found.call("import", "-", IMAGE, stdin=pack({"opt/empty": b""}))
        yield found


def assert_named(done: Done, folder: Path, elsewhere: Elsewhere) -> None:
    assert (done.status, done.code) == (71, "folder-not-shared"), done.stderr
    assert f"the container engine does not see the folder {folder}" in done.stderr
    assert elsewhere.call("ps", "--all", "--quiet") == ""


def test_a_folder_of_data_that_the_engine_does_not_have_is_named(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    desk = plant(elsewhere.hidden / "desk", {"train/train.py": "", "data/s/rows.csv": "1"})

    done = elsewhere.simulate(desk / "data", tmp_path)

    assert_named(done, desk / "data" / "s", elsewhere)
    assert os.listdir(tmp_path) == []


def test_a_work_folder_that_the_engine_does_not_have_is_named(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    desk = plant(tmp_path, {"train/train.py": "", "data/s/rows.csv": "1"})

    done = elsewhere.simulate(desk / "data", elsewhere.hidden)

    assert_named(done, elsewhere.hidden / "pht-simulate-", elsewhere)

"""`pht build`: the image of a train, as stations accept it, from the folder of its author."""

import os
from pathlib import Path

import pytest

from tests import reference
from tests.containers.engine import Engine, engine_address
from tests.containers.images import masters_of
from tests.containers.other_engines import OtherEngines
from tests.containers.visitor import COUNTS, FIRST, Container, assert_visited, station_folder
from tests.desk import plant
from tests.station import Done, assert_explained, pht, settle

pytestmark = pytest.mark.parametrize("runner_image", ["musl"], indirect=True)  # the smallest one

KEYS = reference.VECTORS / "keys"
ABSOLUTE = 'command = ["python", "/opt/pht_train/count.py"]\n'
RELATIVE = 'command = ["python", "count.py"]\nworkdir = "/opt/pht_train"\n'


@pytest.fixture
def repository(engine: Engine, request: pytest.FixtureRequest) -> str:
    return f"pht-test-{engine.session}/{request.node.name.partition('[')[0]}"


def build(desk: Path, master: str, repository: str, command: str, **env: str) -> Done:
    """Build the train of a project with one station."""
    project = f"""\
{command}
master-image = "{master}"
repository = "{repository}"
user-key = "{KEYS / "user.sk.pem"}"
builder-key = "{KEYS / "user.sk.pem"}"
user = "u"
train-id = "t"
[stations]
{FIRST} = "{KEYS / f"{FIRST}.pk.pem"}"
"""
    plant(desk, {"pht.toml": project, "train/count.py": COUNTS, "train/.dockerignore": "**"})
    return pht("build", cwd=desk, env={**engine_address(), **env})


@pytest.fixture(scope="module")
def masters(engine: Engine, runner_image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The list of a station that accepts the master image."""
    path = tmp_path_factory.mktemp("masters") / "masters.json"
    path.write_bytes(masters_of(engine, runner_image))
    return path


@pytest.mark.parametrize(
    ("command", "buildkit"), [(ABSOLUTE, "0"), (RELATIVE, "1")], ids=["classic", "buildkit"]
)
def test_stations_accept_and_visit_what_is_built(
    command: str,
    buildkit: str,
    engine: Engine,
    runner_image: str,
    masters: Path,
    repository: str,
    tmp_path: Path,
) -> None:
    done = build(tmp_path / "desk", runner_image, repository, command, DOCKER_BUILDKIT=buildkit)

    assert done.status == 0, done.stderr
    base, latest = f"{repository}:base", f"{repository}:latest"
    assert f"is in {base} and {latest}, on {runner_image}: 2 files, signed by" in done.stderr
    assert f"then push both: docker push {base}; docker push {latest}\n" in done.stderr
    ids = engine.must("image", "inspect", "--format", "{{.Id}}", base, latest).split()
    assert ids[0] == ids[1]
    judged = pht("validate-image", "--masters", masters, "-", stdin=engine.must("save", latest))
    assert judged.status == 0, judged.stdout
    settle(tmp_path, FIRST)
    visit = Container(engine, engine.create(latest, options=station_folder(tmp_path)))
    assert_visited(visit.run())
    config = reference.load_config(visit.take(tmp_path / "after"))
    address, _, tag = runner_image.partition(":")
    assert (config["source"]["address"], config["source"]["tag"]) == (address, tag)


def test_podman_under_the_name_of_docker_builds_too(
    engine: Engine,
    others: OtherEngines,
    runner_image: str,
    masters: Path,
    repository: str,
    tmp_path: Path,
) -> None:
    master = others.take_over(engine, runner_image)
    store = f"--root {others.folder / 'root'} --runroot {others.folder / 'run'}"
    plant(tmp_path, {"bin/docker": f'#!/bin/sh\nexec podman {store} "$@"\n'})
    (tmp_path / "bin" / "docker").chmod(0o755)

    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    done = build(tmp_path / "desk", master, repository, ABSOLUTE, PATH=path)

    assert done.status == 0, done.stderr
    archive = tmp_path / "image.tar"
    others.podman("save", "--output", archive, f"{repository}:latest")
    judged = pht("validate-image", "--masters", masters, archive)
    assert judged.status == 0, judged.stdout


@pytest.mark.parametrize(
    ("master", "command", "status", "code"),
    [
        ("pht-test-absent:nothing", ABSOLUTE, 66, "image-missing"),
        ("", 'command = ["python", "/opt/pht_train/absent.py"]', 77, "command-not-signed"),
        ("", 'command = ["python", "count.py"]', 77, "command-not-signed"),
    ],
)
def test_what_is_refused_leaves_no_image(
    master: str,
    command: str,
    status: int,
    code: str,
    engine: Engine,
    runner_image: str,
    repository: str,
    tmp_path: Path,
) -> None:
    done = build(tmp_path, master or runner_image, repository, command)

    assert_explained(done, status, code)
    assert not engine.has_image(f"{repository}:base")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pht.toml", "train"]


def test_an_engine_that_cannot_build_says_why(
    engine: Engine, runner_image: str, tmp_path: Path
) -> None:
    done = build(tmp_path, runner_image, "No/Such", ABSOLUTE)

    assert_explained(done, 71, "container-engine")
    assert (
        "pht: error: the command docker build failed [container-engine]\npht:   - " in done.stderr
    )
    assert "repository name must be lowercase\n" in done.stderr
    assert "pht: hint: correct what it says, or start Docker" in done.stderr

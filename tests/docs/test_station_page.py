"""The commands of the README's page for stations, run as they are written there."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.visitor import Container, build_image
from tests.docs.conftest import ROOT
from tests.docs.test_readme import blocks
from tests.station import pht

Words = list[str | Path]

QUERY = '{"query": "patients of the ward"}\n'

COUNTS = """\
import os, pathlib
rows = pathlib.Path(os.environ["TRAIN_DATA_PATH"]).read_text().splitlines()
pathlib.Path("/opt/pht_results/patients.txt").write_text(str(len(rows)))
"""


@pytest.fixture
def page(engine: Engine, desk: Path) -> dict[str, str]:
    """The environment in which a station reads the page, and a place to try it."""
    (desk / "desk" / "examples").symlink_to(ROOT / "examples")
    (desk / "patients.csv").write_text("p1\np2\n")
    return {
        **os.environ,
        "PATH": f"{desk / 'bin'}:{os.environ['PATH']}",
        "TMPDIR": str(desk),
        "STATION": str(desk / "pht"),
        "DATA": str(desk / "patients.csv"),
        "REPOSITORY": f"pht-test-{engine.session}/readme",
    }


def build(engine: Engine, runner: str, desk: Path, repository: str) -> None:
    """Build the train that is to arrive, as an author does who has the station's public key."""
    (desk / "train").mkdir()
    (desk / "train" / "train.py").write_text(COUNTS)
    (desk / "train" / "query.json").write_text(QUERY)
    for name in ("user", "builder"):
        assert pht("keygen", desk / name, "--no-password").status == 0
    folders: Words = [
        desk / "train",
        "--output",
        desk / "built",
        "--user-key",
        desk / "user.private.pem",
        "--builder-key",
        desk / "builder.private.pem",
    ]
    ids = ["--user", "alice", "--train-id", "patients"]
    station = ["--station", f"ward-a={desk / 'desk' / 'ward-a.public.pem'}"]
    assert pht("create", *folders, *ids, *station).status == 0
    image = build_image(engine, runner, name="readme")
    container = Container.create(engine, image, desk / "built" / "opt", [])
    for tag in ("base", "latest"):
        engine.must("commit", container.id, f"{repository}:{tag}")


def options(engine: Engine, container: str) -> dict[str, object]:
    """Return with which options a container was made, but for the folders that it shares."""
    [made] = json.loads(engine.must("container", "inspect", container))
    shown = {key: made["Config"].get(key) for key in ("Healthcheck", "StopTimeout", "Volumes")}
    kept = made["HostConfig"].keys() - {"Binds", "Mounts"}
    return shown | {key: made["HostConfig"][key] for key in kept}


def test_the_way_of_the_station_works_as_written(
    engine: Engine, runner_image: str, desk: Path, page: dict[str, str]
) -> None:
    settle, query, visit, hand_over, remove = blocks("station")

    def run(script: str) -> str:
        command = ["sh", "-euc", script]
        done = subprocess.run(
            command, cwd=desk / "desk", env=page, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(settle)
    build(engine, runner_image, desk, page["REPOSITORY"])
    run(query)
    assert (desk / "desk" / "query.json").read_text() == QUERY
    *_, line, status = run(visit).splitlines()
    assert line.startswith("pht: result=visited status=0 ")
    assert status == "0"
    look, leave = hand_over.splitlines()
    run(look)
    name = f"name=^/pht-{page['REPOSITORY'].replace('/', '-')}-"
    [script] = engine.must("ps", "--all", "--quiet", "--filter", name).decode().split()
    assert options(engine, script) == options(engine, "visit")
    run(remove)
    assert not engine.must("ps", "--all", "--quiet", "--filter", "name=^/visit$")
    run(leave)

    assert (desk / "desk" / "review" / "patients.txt").read_text() == "2"
    handed = Container(engine, engine.create(f"{page['REPOSITORY']}:latest"))
    opt = handed.take(desk / "after")
    opened: Words = ["--key", desk / "user.private.pem", "--output", desk / "opened"]
    assert pht("decrypt-results", opt, *opened).status == 0
    assert (desk / "opened" / "patients.txt").read_text() == "2"

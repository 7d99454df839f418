"""The lines for SELinux make visits by Docker and by podman; no kernel of the tests has SELinux."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import NO_LANDLOCK
from tests.containers.other_engines import OtherEngines
from tests.containers.podman import configure, own_docker
from tests.containers.visitor import SECOND, Container, arrived
from tests.docs.pages import ENGINES, block_with, blocks
from tests.station import settle

READS = 'import os; print(open(os.environ["TRAIN_DATA_PATH"]).read())\n'


@NO_LANDLOCK
@pytest.mark.parametrize("runner_image", ["musl"], indirect=True)
@pytest.mark.parametrize("kind", ["docker", "podman"])
def test_the_lines_for_selinux_make_visits(
    kind: str,
    engine: Engine,
    others: OtherEngines,
    train_image: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, docker = train_image, engine
    if kind == "podman":
        configure(tmp_path, monkeypatch)
        image, docker = others.take_over(engine, train_image), own_docker(others, tmp_path)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    settle(tmp_path, SECOND)
    (tmp_path / "ledger").mkdir(mode=0o700)
    (tmp_path / "patients.csv").write_text("of this station")
    builder = Container(docker, docker.create(image))
    builder.put(arrived(tmp_path / "author", READS))
    given = {
        "STATION": str(tmp_path / "run" / "pht"),
        "LEDGER": str(tmp_path / "ledger"),
        "DATA": str(tmp_path / "patients.csv"),
        "COPY": str(tmp_path / "patients.csv"),
        "latest": docker.must("commit", builder.id).decode().strip(),
    }
    lines = blocks("selinux", pages=(ENGINES,))
    assert len(lines) == 2

    for line in lines:
        commands = block_with("at_station() {") + line.replace("--name visit", "--rm")
        done = subprocess.run(
            ["sh", "-euc", commands], env={**os.environ, **given}, capture_output=True, text=True
        )

        assert (done.returncode, done.stdout) == (0, "of this station\n"), done.stderr
        assert " replay=checked layers=uid,caps,landlock,seccomp,key-absent " in done.stderr
    docker.must("rm", builder.id)

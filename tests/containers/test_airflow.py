"""`examples/airflow`: runs of the DAG, by `airflow dags test`, at a real engine and registry."""

import json
import os
from pathlib import Path

import pytest

from tests.airflow import environment
from tests.airflow.environment import Airflow
from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.images import masters_of
from tests.containers.site import Arrive, Site
from tests.containers.visitor import FIRST
from tests.station import settle


@pytest.fixture(scope="module")
def installed() -> Path:
    return or_skip(environment.make)


@pytest.fixture(scope="module")
def masters(engine: Engine, runner_image: str) -> bytes:
    """A `masters.json` with the master image of the trains."""
    return masters_of(engine, runner_image)


@pytest.fixture
def airflow(
    installed: Path, engine: Engine, masters: bytes, pht_program: Path, tmp_path: Path
) -> Airflow:
    """An Airflow at the first station, with its master images and an empty ledger."""
    settle(tmp_path, FIRST)
    station = tmp_path / "run" / "pht"
    (station / "masters.json").write_bytes(masters)
    (tmp_path / "ledger").mkdir(mode=0o700)
    (tmp_path / "airflow").mkdir()
    variables = {
        "DOCKER_HOST": engine.address(),
        "PATH": f"{pht_program}{os.pathsep}{os.environ['PATH']}",
        "STATION_FOLDER": str(station),
        "STATION_LEDGER": str(tmp_path / "ledger"),
        "STATION_DATA": str(tmp_path / "served"),
    }
    return Airflow(installed, tmp_path / "airflow", variables)


def serve(site: Site, data: Path) -> None:
    """Put the data where `fetch` looks for it."""
    folder = site.folder / "served"
    folder.mkdir(exist_ok=True)
    (folder / site.repository.rpartition("/")[2]).symlink_to(data)


def test_a_train_that_fails_is_an_answer(
    arrive: Arrive, airflow: Airflow, registry: str, data: Path
) -> None:
    site = arrive("raise SystemExit(3)", registry)
    pushed = site.push()
    serve(site, data)

    ended = airflow.run(site.repository)
    print(ended.log)
    assert ended.status == 1
    assert ended.tasks == {}

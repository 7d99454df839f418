"""`examples/airflow`: runs of the DAG, by `airflow dags test`, at a real engine and registry."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from entrypoint.author.container_options import OPTIONS
from tests import reference
from tests.airflow import environment
from tests.airflow.environment import Airflow
from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.images import masters_of
from tests.containers.inspected import made
from tests.containers.site import RENAMES, Arrive, Site
from tests.containers.visitor import FIRST, SECOND, Container, assert_visited
from tests.station import finish, opened, settle, wait_until

pytestmark = pytest.mark.parametrize("runner_image", ["musl"], indirect=True)

LARGE = (
    RENAMES
    + """
for number in range(2, 6):
    with (results / str(number)).open("wb") as file:
        file.truncate(32 * 1024 * 1024)
"""
)
"""Like RENAMES, with results that take some time to be sealed."""

ARRIVED = {"pull": ("success", 1), "validate": ("success", 1)}
PREPARED = {**ARRIVED, "query": ("success", 1), "fetch": ("success", 1)}
"""The tasks of a run before the visit, with the number of their tries."""


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


def serve(site: Site) -> Path:
    """Make the folder with the data where `fetch` looks for it."""
    folder = site.folder / "served" / site.repository.rpartition("/")[2]
    folder.mkdir(parents=True)
    return folder


def visiting(site: Site) -> list[Container]:
    """Return the containers of the DAG for this train."""
    name = f"name=^/pht-visit-{site.repository.translate(str.maketrans('/:', '--'))}-"
    found = site.engine.must("ps", "--all", "--quiet", "--filter", name)
    return [Container(site.engine, container) for container in found.decode().split()]


def by_hand(site: Site, airflow: Airflow, data: Path) -> str:
    """Make the container of a visit as docs/station.md does, and return its id."""
    mounts = [
        f"type=bind,source={airflow.variables['STATION_FOLDER']},target=/run/pht,readonly",
        f"type=bind,source={data},target=/opt/train_data,readonly",
        f"type=bind,source={airflow.variables['STATION_LEDGER']},target=/var/lib/pht",
    ]
    options = [word for mount in mounts for word in ("--mount", mount)]
    options += ["--memory", "4g", "--env", "TRAIN_DATA_PATH=/opt/train_data"]
    [_, latest] = site.ids()
    return site.engine.must("create", *OPTIONS, *options, latest).decode().strip()


def test_a_visit_killed_while_sealing_is_finished_by_the_next_try_and_handed_over(
    arrive: Arrive, airflow: Airflow, registry: str, pht_program: Path, tmp_path: Path
) -> None:
    site = arrive(LARGE, registry)
    [_, latest] = site.push()
    data = serve(site)
    (data / ".hold").touch()
    manual = by_hand(site, airflow, data)
    process = airflow.begin(site.repository)
    try:
        airflow.wait_until("aboard", process)
        [container] = visiting(site)
        of_the_dag, of_the_page = (
            made(site.engine.must("container", "inspect", name)) for name in (container.id, manual)
        )
        assert of_the_dag == of_the_page
        (data / ".hold").unlink()
        container.wait_until(lambda running: running.phase() == "sealing")
        site.engine.must("kill", container.id)
    finally:
        (data / ".hold").unlink(missing_ok=True)
        site.engine.must("rm", "--volumes", manual)
        ended = airflow.end(process)

    assert ended.status == 0, ended.log
    assert ended.tasks == {
        **PREPARED,
        "visit": ("success", 2),
        "hand_over": ("success", 1),
        "push": ("success", 1),
    }
    assert ended.log.count("aboard") == 1, "the train ran twice"
    assert visiting(site) == []
    site.engine.must("image", "rm", "--force", latest)
    site.engine.must("pull", "--quiet", latest)
    opt = site.image("latest").take(tmp_path / "after")
    assert opened(opt)["1"] == b"left here"
    assert reference.verify_chain(reference.load_config(opt)) == [FIRST]
    assert site.visit("-d", data, at=SECOND, programs=pht_program).status == 0


@pytest.mark.engines
def test_a_train_that_fails_is_not_tried_again(
    arrive: Arrive, airflow: Airflow, registry: str
) -> None:
    site = arrive("raise SystemExit(3)", registry)
    site.push()
    serve(site)
    before = site.ids()

    ended = airflow.run(site.repository)

    assert ended.status == 1
    assert ended.tasks == {
        **PREPARED,
        "visit": ("failed", 1),
        "hand_over": ("upstream_failed", 0),
        "push": ("upstream_failed", 0),
    }
    assert "train-failed; it is the author who acts" in ended.log
    assert visiting(site) == []
    assert site.ids() == before


def test_a_container_that_was_interrupted_while_sealing_stays_if_its_next_start_is_refused(
    arrive: Arrive, airflow: Airflow, tmp_path: Path
) -> None:
    site = arrive(LARGE)
    [_, latest] = site.ids()
    data = serve(site)
    settings = Path(airflow.variables["STATION_FOLDER"]) / "station.env"
    right = settings.read_text()
    visit = ("visit", site.repository, latest, str(data))
    (data / ".hold").touch()
    process = airflow.step(*visit)
    try:
        wait_until(lambda: any(found.said(b"aboard") for found in visiting(site)))
        [container] = visiting(site)
        (data / ".hold").unlink()
        container.wait_until(lambda running: running.phase() == "sealing")
        container.kill()
    finally:
        (data / ".hold").unlink(missing_ok=True)
        killed = finish(process)
    assert "goes on with the next try" in killed.stderr
    settings.write_text(f"{right}PHT_UNKNOWN=1\n")

    refused = finish(airflow.step(*visit))

    assert "AirflowFailException" in refused.stderr
    assert "state=unchanged" in container.ended().stderr
    settings.write_text(right)
    done = container.run()
    assert_visited(done)
    assert done.stdout == b"", "the train ran twice"
    assert opened(container.take(tmp_path / "after"))["1"] == b"left here"
    site.engine.must("rm", "--volumes", container.id)


@pytest.mark.engines
def test_a_container_that_is_refused_at_its_first_start_is_removed(
    arrive: Arrive, airflow: Airflow
) -> None:
    site = arrive()
    [_, latest] = site.ids()
    settings = Path(airflow.variables["STATION_FOLDER"]) / "station.env"
    settings.write_text(f"{settings.read_text()}PHT_UNKNOWN=1\n")

    refused = finish(airflow.step("visit", site.repository, latest, str(serve(site))))

    assert "AirflowFailException" in refused.stderr
    assert visiting(site) == []


@pytest.mark.engines
def test_nothing_of_an_image_that_is_not_accepted_is_started(
    arrive: Arrive, airflow: Airflow, registry: str
) -> None:
    site = arrive(RENAMES, registry)
    container = site.image("latest")
    changes = ["--change", 'ENTRYPOINT ["sh", "-c", "cp /run/pht/*.pem /opt/pht_train"]']
    site.engine.must("commit", *changes, container.id, f"{site.repository}:latest")
    site.push()

    ended = airflow.run(site.repository)

    assert ended.tasks["pull"] == ("success", 1)
    assert ended.tasks["validate"] == ("failed", 1)
    assert "latest is not accepted; nothing of it was started" in ended.log
    assert "entrypoint-changed" in ended.log
    assert visiting(site) == []


@pytest.mark.engines
def test_the_container_of_a_task_that_takes_too_long_is_stopped_and_goes_on(
    arrive: Arrive, airflow: Airflow, registry: str, tmp_path: Path
) -> None:
    dags = Path(shutil.copytree(environment.DAGS, tmp_path / "dags"))
    source = (dags / "train_visit.py").read_text()
    visit = 'Visit(task_id="visit", '
    assert source.count(visit) == 1
    limited = f"{visit}execution_timeout=timedelta(seconds=20), "
    (dags / "train_visit.py").write_text(source.replace(visit, limited))
    site = arrive(RENAMES, registry)
    site.push()
    data = serve(site)
    (data / ".hold").touch()
    slow = replace(airflow, dags=dags)
    process = slow.begin(site.repository)
    try:
        slow.wait_until("Task failed with exception", process)
        [container] = visiting(site)
        assert b"result=stopped" in site.engine.call("logs", container.id).stderr
    finally:
        (data / ".hold").unlink()
        ended = slow.end(process)

    assert ended.tasks["visit"] == ("success", 2), ended.log
    assert ended.tasks["push"] == ("success", 1)
    assert visiting(site) == []

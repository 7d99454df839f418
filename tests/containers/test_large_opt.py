"""A base with a large folder at /opt, which Docker would copy into every new volume there."""

import json
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.examined import LAYERS, WARNING, Station, without
from tests.containers.fixtures import NO_LANDLOCK
from tests.containers.plain_options import RECOMMENDED
from tests.containers.site import Arrive, begin_and_hold
from tests.containers.visitor import COUNTS, FIRST, Container, arrived, assert_visited
from tests.station import finish, opened

LARGE = "RUN mkdir /opt/conda && head --bytes=200M /dev/zero >/opt/conda/package\n"


@pytest.fixture(scope="session")
def large_image(engine: Engine, runner_image: str) -> str:
    """A master image that has a large folder beside the place of the train."""
    return engine.build("large-opt", {"Dockerfile": f"FROM {runner_image}\n{LARGE}".encode()})


def without_a_copy(options: list[str], folder: Path) -> list[str]:
    """Return the options of a container without those by which /opt is a volume."""
    return without("--volume", "/opt")(without("--read-only")(options, folder), folder)


def volumes(container: Container) -> list[str]:
    """Return the places of the volumes of a container."""
    mounts = json.loads(
        container.engine.must("inspect", "--format", "{{json .Mounts}}", container.id)
    )
    return [mount["Destination"] for mount in mounts if mount["Type"] == "volume"]


@NO_LANDLOCK
def test_a_visit_without_a_volume_copies_nothing_and_has_the_same_layers(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS)
    options = [*station, *without_a_copy(RECOMMENDED, tmp_path)]
    visitor = Container.create(engine, train_image, opt, options)
    done = visitor.run()
    assert_visited(done)
    assert done.facts["layers"] == LAYERS
    assert volumes(visitor) == []
    leaving = Container(engine, engine.create(train_image))
    visitor.hand_over(leaving)
    assert opened(leaving.take(tmp_path / "next")) == {"visits": b"2"}


def test_the_script_makes_no_volume_if_the_container_may_be_written(
    arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive()
    process = begin_and_hold(site, data, ["--", "--read-only=false"])
    assert volumes(site.visiting()) == []
    (data / ".hold").unlink()
    assert finish(process).status == 0
    site.assert_handed_over(tmp_path / "after", FIRST)


@NO_LANDLOCK
def test_the_doctor_warns_of_what_a_volume_would_copy(
    engine: Engine, large_image: str, tmp_path: Path
) -> None:
    station = Station.healthy(engine, large_image, tmp_path)
    assert station.not_ok(station.options()) == {"disk": WARNING}
    text = station.ask(options=station.options()).stdout
    assert b"200 MiB" in text
    assert b"--read-only" in text
    assert station.not_ok(without_a_copy(station.options(), tmp_path)) == {}

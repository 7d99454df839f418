"""gVisor with an overlay of its own, in which what a container writes ends with it."""

from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.examined import WARNING, Station, failed, without
from tests.containers.fixtures import gvisor, or_skip
from tests.containers.plain_options import RECOMMENDED
from tests.containers.visitor import COUNTS, Container, arrived, assert_visited, shared
from tests.ledger import give_ledger
from tests.station import assert_explained, new_train, opened

SAID = "in the overlay of gVisor and vanishes with the container"


@pytest.fixture
def over_root(engine: Engine) -> list[str]:
    """The options of a container whose root, and no volume, is under the overlay."""
    return or_skip(lambda: gvisor(engine, "runsc-overlay"))


@pytest.fixture
def over_all(engine: Engine) -> list[str]:
    """The options of a container of which every writable mount is under the overlay."""
    return or_skip(lambda: gvisor(engine, "runsc-overlay-all"))


@pytest.mark.parametrize(
    "volumes",
    [[], ["--volume", "/opt/pht_results", "--volume", "/opt/pht_train"]],
    ids=["no volume", "volumes for the folders only"],
)
def test_a_visit_whose_train_the_engine_would_not_find_is_refused(
    volumes: list[str],
    engine: Engine,
    train_image: str,
    station: list[str],
    over_root: list[str],
    tmp_path: Path,
) -> None:
    opt, options = arrived(tmp_path, COUNTS), [*station, *over_root, *volumes]
    done = Container.create(engine, train_image, opt, options).run()
    assert_explained(done, 78, "place-unsuitable")
    assert done.facts["state"] == "unchanged"
    assert f"/opt/train_config.json is {SAID}" in done.stderr
    assert "a volume at /opt" in done.stderr


def test_a_run_whose_results_the_host_would_not_find_is_refused(
    engine: Engine, train_image: str, over_root: list[str], tmp_path: Path
) -> None:
    opt, options = new_train(tmp_path, COUNTS), ["--env", "PHT_HOST_PROTOCOL=1", *over_root]
    done = Container.create(engine, train_image, opt, options).run()
    assert_explained(done, 78, "place-unsuitable")
    assert SAID in done.stderr
    assert "--overlay2=none" in done.stderr


def test_a_volume_outlasts_the_overlay_of_the_root(
    engine: Engine, train_image: str, station: list[str], over_root: list[str], tmp_path: Path
) -> None:
    opt, options = arrived(tmp_path, COUNTS), [*station, *over_root, "--volume", "/opt"]
    visitor = Container.create(engine, train_image, opt, options)
    assert_visited(visitor.run())
    assert opened(visitor.take(tmp_path / "after")) == {"visits": b"2"}
    engine.must("rm", "--volumes", visitor.id)


def test_a_hand_over_that_the_engine_would_not_find_is_refused(
    engine: Engine, train_image: str, over_root: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS)
    options = ["--volume", f"{opt}:/mnt:ro", *over_root]
    image = engine.create(train_image, "hand-over", "--from", "/mnt", options=options)
    done = Container(engine, image).run()
    assert_explained(done, 78, "place-unsuitable")
    assert f"/opt is {SAID}" in done.stderr


def test_an_overlay_of_all_mounts_is_refused_with_the_recommended_options(
    engine: Engine, train_image: str, station: list[str], over_all: list[str], tmp_path: Path
) -> None:
    opt, options = arrived(tmp_path, COUNTS), [*station, *RECOMMENDED, *over_all]
    visitor = Container.create(engine, train_image, opt, options)
    done = visitor.run()
    assert_explained(done, 78, "place-unsuitable")
    assert "--overlay2=none" in done.stderr
    engine.must("rm", "--volumes", visitor.id)


def test_a_ledger_under_the_overlay_is_refused(
    engine: Engine, train_image: str, station: list[str], over_all: list[str], tmp_path: Path
) -> None:
    mount = ["--volume", f"{give_ledger(tmp_path)}:/var/lib/pht"]
    opt, options = arrived(tmp_path, COUNTS), [*station, *mount, *over_all]
    done = Container.create(engine, train_image, opt, options).run()
    assert_explained(done, 78, "ledger-unusable")
    assert SAID in done.stderr


def test_an_export_under_the_overlay_is_refused(
    engine: Engine,
    train_image: str,
    station: list[str],
    over_all: list[str],
    data: Path,
    tmp_path: Path,
) -> None:
    export = [*shared(data), "--env", "PHT_EXPORT=/opt/train_data/train.tar"]
    opt, options = arrived(tmp_path, COUNTS), [*station, *export, *over_all]
    done = Container.create(engine, train_image, opt, options).run()
    assert_explained(done, 78, "output-in-memory")
    assert SAID in done.stderr


def test_the_doctor_says_so(
    engine: Engine, runner_image: str, over_root: list[str], tmp_path: Path
) -> None:
    station = Station.healthy(engine, runner_image, tmp_path)
    options = [*without("--volume", "/opt")(station.options(), tmp_path), *over_root]
    options.remove("--read-only")
    rows = station.not_ok(options)
    assert rows == {"disk": failed("place-unsuitable"), "landlock": WARNING}
    rows = station.not_ok([*station.options(), *over_root])
    assert rows == {"landlock": WARNING}

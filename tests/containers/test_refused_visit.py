"""Settings, commands and mounts that the image of a train may not bring into a visit."""

import json
from pathlib import Path

import pytest

from tests import reference
from tests.containers.engine import Engine
from tests.containers.visitor import (
    COUNTS,
    RUNS_TRAIN,
    SECOND,
    Container,
    arrived,
    assert_visit_refused,
    build_image,
)
from tests.station import assert_explained


def test_an_image_without_a_train_names_what_works(
    engine: Engine, train_image: str, station: list[str]
) -> None:
    done = Container(engine, engine.create(train_image, options=station)).run()
    assert_explained(done, 66, "no-train")
    assert "build an image FROM the master image" in done.stderr
    assert "pht simulate" in done.stderr


def test_a_station_folder_that_the_image_could_have_filled_is_refused(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS)
    writable = [option.replace(":ro", ":rw") for option in station]
    container = Container.create(engine, train_image, opt, writable)
    assert_visit_refused(container, 78, "station-folder-writable")


@pytest.mark.parametrize("volume", [False, True], ids=["in a layer", "in a volume"])
def test_settings_baked_into_the_image_are_refused(
    volume: bool, engine: Engine, runner_image: str, tmp_path: Path
) -> None:
    files = {
        "pht/station.env": f"STATION_ID={SECOND}\n".encode(),
        "pht/private_key.pem": reference.vector_key(SECOND, private=True),
    }
    more = "COPY pht /run/pht\n" + ("VOLUME /run/pht\n" if volume else "")
    name = "baked-volume" if volume else "baked-layer"
    image = build_image(engine, runner_image, name=name, more=more, files=files)
    opt = arrived(tmp_path, COUNTS)
    container = Container.create(engine, image, opt, [])
    assert_visit_refused(container, 78, "station-folder-writable")


def test_a_lower_protection_is_not_taken_from_the_image(
    engine: Engine, runner_image: str, station: list[str], tmp_path: Path
) -> None:
    more = "ENV PHT_COMMAND=any\n"
    image = build_image(engine, runner_image, ["true"], name="lowers", more=more)
    opt = arrived(tmp_path, COUNTS)
    container = Container.create(engine, image, opt, station)
    assert_visit_refused(container, 78, "setting-not-trusted")


def test_a_command_that_runs_no_signed_file_is_refused(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS)
    container = Container.create(engine, train_image, opt, station, "bash", "-c", "true")
    assert_visit_refused(container, 77, "command-not-signed")


DESK = ["--output", "/opt/pht_results/x"]
WEAKENING = [
    ["pre-run"],
    ["post-run"],
    ["undo"],
    ["run", "--root", "/", "--", *RUNS_TRAIN],
    ["simulate", "/opt/pht_train", "--data", "/opt", *DESK, "--", *RUNS_TRAIN],
    ["decrypt-results", "/", "--key", "/run/pht/private_key.pem", "--station", SECOND, *DESK],
]
PLACES = {
    "PID 1": [],
    "under an init": ["--init"],
    "under an unknown init": ["--entrypoint", "sh"],
    "among the processes of the host": ["--pid", "host"],
}


@pytest.mark.parametrize(
    ("command", "place"),
    [
        *((command, "PID 1") for command in WEAKENING),
        *((WEAKENING[0], place) for place in PLACES if place != "PID 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_what_could_weaken_a_visit_is_no_command_of_a_container(
    command: list[str],
    place: str,
    engine: Engine,
    train_image: str,
    station: list[str],
    tmp_path: Path,
) -> None:
    if place == "under an unknown init":  # which stands in front of the ENTRYPOINT
        command = ["-c", '"$@"; exit "$?"', "init", *entrypoint(engine, train_image), *command]
    opt = arrived(tmp_path, COUNTS)
    options = [*station, *PLACES[place]]
    container = Container.create(engine, train_image, opt, options, *command)
    assert_visit_refused(container, 64, "not-in-a-container")


def entrypoint(engine: Engine, image: str) -> list[str]:
    """Return the ENTRYPOINT of an image."""
    form = "{{json .Config.Entrypoint}}"
    words: list[str] = json.loads(engine.must("image", "inspect", "--format", form, image))
    return words


@pytest.mark.parametrize(
    "place", ["a memory file system", "a mount inside the results", "a mounted configuration"]
)
def test_a_place_where_a_visit_would_get_lost_is_refused(
    place: str, engine: Engine, train_image: str, station: list[str], data: Path, tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS)
    config = opt / "train_config.json"
    mounts = {
        "a memory file system": ["--tmpfs", "/opt/pht_results"],
        "a mount inside the results": ["--volume", f"{data}:/opt/pht_results/inside"],
        "a mounted configuration": ["--volume", f"{data}/config:/opt/train_config.json"],
    }
    if place == "a mounted configuration":
        config.rename(data / "config")  # nothing can be copied over a mount
        config = data / "config"
    before = config.read_bytes()
    container = Container.create(engine, train_image, opt, [*station, *mounts[place]])
    assert_explained(container.run(), 78, "place-unsuitable")
    after = container.take(tmp_path / "after")
    assert (after / "train_config.json").read_bytes() == before

"""Options, settings and trains with which no visit is possible: each refused with a reason."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import NO_LANDLOCK
from tests.containers.plain_options import ID, KEY, PEM, container
from tests.containers.visitor import (
    COUNTS,
    SECOND,
    Container,
    arrived,
    assert_visit_refused,
    assert_visited,
    shared,
    station_folder,
)
from tests.station import assert_explained, settle

REFUSED_SETTINGS: dict[str, tuple[list[str], int, str]] = {
    "no id": ([*KEY], 78, "station-id-missing"),
    "no key": ([*ID], 78, "private-key-missing"),
    "half a key": (
        [*ID, "--env", f"RSA_STATION_PRIVATE_KEY={PEM.hex()[:99]}"],
        78,
        "private-key-unusable",
    ),
    "two keys": ([*ID, *KEY, "--env", f"RSA_STATON_PRIVATE_KEY={PEM.hex()}"], 78, "setting-twice"),
    "a key file that is not there": (
        [*ID, "--env", "PRIVATE_KEY_PATH=/no"],
        78,
        "setting-unreadable",
    ),
    "another station's key": (["--env", "STATION_ID=station_1", *KEY], 78, "own-key-mismatch"),
    "a misspelt setting": ([*ID, *KEY, "--env", "PHT_TIMEOT=1"], 78, "setting-unknown"),
    "a planned setting": ([*ID, *KEY, "--env", "PHT_NETWORK=allow"], 78, "setting-not-built"),
    "a malformed setting": ([*ID, *KEY, "--env", "PHT_TIMEOUT=1h"], 78, "setting-malformed"),
    "two protocols": ([*ID, *KEY, "--env", "PHT_HOST_PROTOCOL=1"], 78, "host-driven-contradicted"),
    "nobody's protocol": (["--env", "PHT_HOST_PROTOCOL=1"], 77, "results-not-opened"),
    "not on the route": (["--env", "STATION_ID=elsewhere", *KEY], 76, "station-not-on-route"),
    "absent data": ([*ID, *KEY, "--env", "TRAIN_DATA_PATH=/opt/train_data"], 66, "data-missing"),
    "no folder to export to": (
        [*ID, *KEY, "--env", "PHT_EXPORT=/no/a.tar"],
        66,
        "output-folder-missing",
    ),
    "an export over something": (
        [*ID, *KEY, "--env", "PHT_EXPORT=/etc/passwd"],
        74,
        "output-exists",
    ),
    "an export into the train": (
        [*ID, *KEY, "--env", "PHT_EXPORT=/opt/pht_results/t"],
        78,
        "output-inside-train",
    ),
    "an export into the container": (
        [*ID, *KEY, "--env", "PHT_EXPORT=train.tar"],
        78,
        "output-in-container",
    ),
    "an export that every program would load": (
        [*ID, *KEY, "--env", "PHT_EXPORT=/etc/ld.so.preload"],
        78,
        "output-in-container",
    ),
    "an export to where the train lies": (
        [*ID, *KEY, "--volume", "/opt", "--env", "PHT_EXPORT=/opt/train.tar"],
        78,
        "output-in-container",
    ),
    "an export to memory": (
        [*ID, *KEY, "--tmpfs", "/out", "--env", "PHT_EXPORT=/out/train.tar"],
        78,
        "output-in-memory",
    ),
    "an export to proc": (
        [*ID, *KEY, "--env", "PHT_EXPORT=/proc/1/t"],
        78,
        "output-in-container",
    ),
    "a read-only container": ([*ID, *KEY, "--read-only"], 78, "place-unsuitable"),
    "another user": ([*ID, *KEY, "--user", "1000"], 78, "place-unsuitable"),
}


@pytest.mark.parametrize(
    ("options", "status", "code"), REFUSED_SETTINGS.values(), ids=REFUSED_SETTINGS
)
def test_options_that_make_no_visit_possible_are_refused(
    options: list[str], status: int, code: str, engine: Engine, arrived_image: str
) -> None:
    assert_visit_refused(container(engine, arrived_image, options), status, code)


@pytest.mark.parametrize(
    ("command", "code"),
    [(["--flag"], "usage"), (["run", "--"], "no-command")],
    ids=["an option", "nothing"],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    command: list[str], code: str, engine: Engine, arrived_image: str
) -> None:
    assert_visit_refused(container(engine, arrived_image, [*ID, *KEY], *command), 64, code)


def test_a_second_visit_is_refused(engine: Engine, arrived_image: str) -> None:
    visitor = container(engine, arrived_image, [*ID, *KEY])
    assert_visited(visitor.run())

    assert_explained(visitor.run(), 79, "already-visited")


def change_code(opt: Path) -> None:
    (opt / "pht_train" / "train.py").write_text("print('something else')")


def add_module(opt: Path) -> None:
    (opt / "pht_train" / "numpy.py").touch()


def cut_config(opt: Path) -> None:
    (opt / "train_config.json").write_bytes((opt / "train_config.json").read_bytes()[:-9])


def exchange_results(opt: Path) -> None:
    (opt / "pht_results" / "visits").write_bytes(b"forged")


def link_results(opt: Path) -> None:
    (opt / "pht_results").rename(opt / "pht_train" / "elsewhere")
    (opt / "pht_results").symlink_to("pht_train/elsewhere")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (change_code, 77, "definition-changed"),
        (add_module, 65, "train-files-differ"),
        (cut_config, 65, "config-malformed"),
        (exchange_results, 77, "results-unverified"),
        (link_results, 77, "link-in-place"),
    ],
)
def test_a_train_that_is_not_as_signed_is_refused(
    change: Callable[[Path], None],
    status: int,
    code: str,
    engine: Engine,
    runner_image: str,
    tmp_path: Path,
) -> None:
    opt = arrived(tmp_path, COUNTS)
    change(opt)
    command = ["python", "/opt/pht_train/train.py"]
    assert_visit_refused(
        Container.create(engine, runner_image, opt, [*ID, *KEY], *command), status, code
    )


# --- data ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "user", "of"),
    [
        (["--user", "1000"], "uid 1000", "owned_image"),
        (["--cap-drop", "ALL"], "uid 0", "arrived_image"),
    ],
    ids=["another user", "root without its rights"],
)
@pytest.mark.parametrize("place", ["the file", "the folder"])
def test_data_that_the_train_cannot_read_are_told_with_the_user_who_needs_them(
    options: list[str],
    user: str,
    of: str,
    place: str,
    engine: Engine,
    data: Path,
    request: pytest.FixtureRequest,
) -> None:
    rows = data / "rows.csv"
    rows.touch()
    os.chown(data, 4321, 4321)  # a research group's, which is neither of the two users
    (data if place == "the folder" else rows).chmod(0o700)
    os.chown(rows, 4321, 4321)
    path = "/opt/train_data" + ("/rows.csv" if place == "the file" else "")
    given = [*ID, *KEY, *options, *shared(data), "--env", f"TRAIN_DATA_PATH={path}"]

    said = assert_visit_refused(
        container(engine, request.getfixturevalue(of), given), 66, "data-unreadable"
    )

    assert f"cannot read TRAIN_DATA_PATH ({path}) [" in said
    assert f"give {user} access" in said


@NO_LANDLOCK
def test_a_file_in_the_data_that_the_train_cannot_read_is_warned_of(
    engine: Engine, arrived_image: str, data: Path
) -> None:
    (data / "rows.csv").touch(0o600)
    os.chown(data / "rows.csv", 4321, 4321)
    options = ["--cap-drop", "ALL", *shared(data), "--env", "TRAIN_DATA_PATH=/opt/train_data"]
    done = container(engine, arrived_image, [*ID, *KEY, *options]).run()
    assert_visited(done)
    warning = "pht: warning: the train runs as uid 0, gid 0, and cannot read "
    assert f"{warning}/opt/train_data/rows.csv" in done.stderr


# --- what an administrator finds at night --------------------------------------------------------


def test_a_key_that_another_user_owns_is_told_with_the_uid(
    engine: Engine, owned_image: str, tmp_path: Path
) -> None:
    settle(tmp_path, SECOND)
    folder = tmp_path / "run" / "pht"
    (folder / "private_key.pem").chmod(0o600)
    given = [*station_folder(tmp_path), "--user", "1000"]

    said = assert_visit_refused(container(engine, owned_image, given), 78, "setting-unreadable")
    assert "the runner, started as uid 1000, gid 0, may not read /run/pht/priv" in said
    assert "give uid 1000 access" in said

    folder.chmod(0o700)
    said = assert_visit_refused(container(engine, owned_image, given), 78, "setting-unreadable")
    assert "may not read /run/pht [" in said


def test_a_station_folder_that_was_mistyped_is_told(
    engine: Engine, arrived_image: str, tmp_path: Path
) -> None:
    mistyped = ["--volume", f"{tmp_path}/mistyped:/run/pht:ro"]
    said = assert_visit_refused(
        container(engine, arrived_image, mistyped), 78, "station-id-missing"
    )
    assert "/run/pht is empty or not there [" in said


@pytest.mark.parametrize(
    ("mount", "status", "code"),
    [
        (["--tmpfs", "/opt"], 66, "no-train"),
        (["--tmpfs", "/opt/pht_train"], 65, "train-files-differ"),
    ],
)
def test_a_mount_that_hides_the_train_is_told(
    mount: list[str], status: int, code: str, engine: Engine, arrived_image: str
) -> None:
    done = container(engine, arrived_image, [*ID, *KEY, *mount]).run()
    assert_explained(done, status, code)
    assert done.facts["by"] == "station"
    assert f"pht: hint: {mount[1]} is a mount" in done.stderr

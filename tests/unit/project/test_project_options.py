"""Commands of an author take from `pht.toml` what the command line does not give."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import reference
from tests.desk import plant
from tests.station import assert_explained, pht
from tests.unit.simulating import IN_ORDER, TRAIN, seen

KEYS = reference.VECTORS / "keys"
PROJECT = f"""
command = ["python", "/opt/pht_train/train.py"]
data = "data"
generation = "flat"
exclude = ["notes"]
user-key = "{KEYS / "user.sk.pem"}"
user = "alice"
train-id = "from-the-file"
master-image = "example/of-the-file:1"
"""
STATIONS = f"""
[stations]
s-10 = "{KEYS / "station_1.pk.pem"}"
s-1 = "{KEYS / "station_2.pk.pem"}"
"""
ROWS = {"data/s-1/rows.csv": "one", "data/s-2/rows.csv": "two", "data/s-10/rows.csv": "ten"}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a train, data, and a project file that names no station."""
    return plant(
        tmp_path, {"train/train.py": TRAIN, "train/notes": "", "pht.toml": PROJECT, **ROWS}
    )


def config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "opt" / "train_config.json").read_bytes())
    return found


def test_a_train_is_made_of_the_file_alone(desk: Path) -> None:
    (desk / "pht.toml").write_text(PROJECT + STATIONS)
    done = pht("create", "--output", "built", cwd=desk)
    assert done.status == 0, done.stderr
    assert f"pht: settings from {desk / 'pht.toml'}\n" in done.stderr
    made = config(desk / "built")
    assert (made["user_id"], made["train_id"]) == ("alice", "from-the-file")
    assert list(made["rsa_public_keys"]) == ["s-10", "s-1"]
    assert made["immutable_file_list"] == ["train.py"]


def test_options_win(desk: Path) -> None:
    (desk / "pht.toml").write_text(PROJECT + STATIONS)
    options = ["--user", "bob", "--station", f"s-2={KEYS / 'station_3.pk.pem'}", "--exclude", "x"]
    done = pht("create", "train", "--output", "built", *options, cwd=desk)
    assert done.status == 0, done.stderr
    made = config(desk / "built")
    assert (made["user_id"], list(made["rsa_public_keys"])) == ("bob", ["s-2"])
    assert "notes" in made["immutable_file_list"]


@pytest.mark.slow
def test_a_route_goes_to_all_folders_of_data_without_stations_in_the_file(desk: Path) -> None:
    done = pht("simulate", "--output", "results", cwd=desk)
    assert done.status == 0, done.stderr
    assert seen(desk / "results") == IN_ORDER


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "route"), [([], ["s-10", "s-1"]), (["--route", "s-2"], ["s-2"])]
)
def test_a_route_goes_to_the_stations_of_the_file_in_their_order(
    options: list[str], route: list[str], desk: Path
) -> None:
    (desk / "pht.toml").write_text(PROJECT + STATIONS)
    done = pht("simulate", "--output", "results", *options, cwd=desk)
    assert done.status == 0, done.stderr
    assert [station for station, _ in seen(desk / "results")] == route


def test_the_master_image_of_the_file_is_that_of_containers(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(desk, {"bin/docker": '#!/bin/sh\necho "$@" >&2; [ "$1" = version ]\n'})
    (desk / "bin" / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{desk / 'bin'}:/usr/bin:/bin")
    done = pht("simulate", "--image", cwd=desk)
    assert done.code == "image-missing"
    assert "the container engine has no image example/of-the-file:1" in done.stderr


def test_the_project_file_never_travels(desk: Path) -> None:
    (desk / "train" / "pht.toml").write_text("user = 1")
    station = f"s-1={KEYS / 'station_1.pk.pem'}"
    done = pht("create", "--output", "built", "--station", station, cwd=desk)
    assert done.status == 0, done.stderr
    assert "left out of the train: pht.toml" in done.stderr


MISSING = {
    "create": (
        ["create", "--output", "built"],
        "create still needs --user-key, --user, --train-id, --station",
        "pht.toml beside the folder of the train: user-key, user, train-id, [stations]",
    ),
    "build": (
        ["build"],
        "build still needs --repository, --master-image, --user-key, --user, --train-id, --station",
        "repository, master-image, user-key, user, train-id, [stations]",
    ),
    "simulate": (
        ["simulate", "--", "python", "x"],
        "simulate still needs --data",
        "pht.toml beside the folder of the train: data",
    ),
    "simulate --image": (
        ["simulate", "--data", "data", "--image"],
        "simulate still needs --image IMAGE",
        "pht.toml beside the folder of the train: master-image",
    ),
}


@pytest.mark.parametrize(("arguments", "problem", "hint"), MISSING.values(), ids=MISSING)
def test_what_nothing_gives_is_named_as_option_and_as_key(
    arguments: list[str], problem: str, hint: str, tmp_path: Path
) -> None:
    done = pht(*arguments, cwd=tmp_path)
    assert_explained(done, 64, "usage")
    assert f"pht: error: {problem} [usage]\n" in done.stderr
    assert f"{hint}\n" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_key_of_the_file_does_not_lie_in_the_train(desk: Path) -> None:
    text = PROJECT.replace(str(KEYS / "user.sk.pem"), "train/user.pem")
    plant(desk, {"pht.toml": text + STATIONS, "train/user.pem": ""})
    assert_explained(pht("create", "--output", "built", cwd=desk), 64, "path-inside-train")


def test_a_file_that_cannot_be_read_stops_a_command(tmp_path: Path) -> None:
    (tmp_path / "pht.toml").mkdir()
    assert_explained(pht("simulate", cwd=tmp_path), 66, "project-file-unreadable")

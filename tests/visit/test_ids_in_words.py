"""Ids of stations in messages: in quotes, and told apart where only their Unicode form differs."""

from pathlib import Path
from typing import Literal
from unicodedata import normalize

import pytest

from tests import reference
from tests.desk import plant
from tests.station import Done, assert_explained, pht

KEYS = reference.VECTORS / "keys"
Form = Literal["NFC", "NFD"]


def create_for(folder: Path, *stations: str) -> Done:
    train = plant(folder / "train", {"run.py": "print()"})
    named = [f"--station={station}={KEYS / 'station_1.pk.pem'}" for station in stations]
    words: list[str | Path] = [
        "create",
        train,
        "--output",
        folder / "built",
        "--generation",
        "flat",
        *named,
    ]
    words += ["--user-key", KEYS / "user.sk.pem", "--user", "u", "--train-id", "t"]
    return pht(*words)


def check_as(folder: Path, station: str, key: str) -> Done:
    pem = reference.vector_key(key, private=True)
    env = {"STATION_ID": station, "RSA_STATION_PRIVATE_KEY": pem.hex()}
    return pht("check", root=folder / "built", env=env)


def test_a_station_that_is_named_twice(tmp_path: Path) -> None:
    done = create_for(tmp_path, "ward 7", "ward 7")
    assert_explained(done, 64, "stations-unsuitable")
    assert 'station "ward 7" is named twice' in done.stderr


def test_a_key_that_is_not_the_stations(tmp_path: Path) -> None:
    assert create_for(tmp_path, "ward 7").status == 0
    done = check_as(tmp_path, "ward 7", "station_2")
    assert_explained(done, 78, "own-key-mismatch")
    assert 'the public key of station "ward 7" on this train' in done.stderr


@pytest.mark.parametrize(("on_train", "set_here"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_an_id_in_another_unicode_form_is_said_to_be_one(
    on_train: Form, set_here: Form, tmp_path: Path
) -> None:
    assert create_for(tmp_path, normalize(on_train, "Zürich"), "Ulm").status == 0
    done = check_as(tmp_path, normalize(set_here, "Zürich"), "station_1")
    assert_explained(done, 76, "station-not-on-route")
    assert "another Unicode form (NFC or NFD)" in done.stderr
    assert "Unicode" not in check_as(tmp_path, "Zurich", "station_1").stderr

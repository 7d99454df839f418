"""Configurations that are made to cost memory, time or room in the log."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.limits import CONFIG_BYTES
from tests import reference
from tests.reference import Config
from tests.station import most_memory, settle

ROOM = CONFIG_BYTES - 10_000

MOST_MEMORY = 640 * 2**20
"""Peak in bytes: what `json` itself makes of 16 MiB, 30 bytes for each, is the larger part."""


def array_of_many(what: str) -> str:
    return "[" + ",".join([what] * (ROOM // (len(what) + 1))) + "]"


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(f'{{"immutable_file_list": {array_of_many("1")}}}', id="paths"),
        pytest.param(
            f'{{"e_h": "", "digital_signature": {array_of_many("1")}}}', id="links of the chain"
        ),
        pytest.param(f'{{"e_h": {array_of_many("{}")}}}', id="objects"),
        pytest.param(f'{{"e_h": "{"0" * ROOM}"}}', id="hex"),
        pytest.param(f'{{"build": {{}}, "route": {array_of_many("{}")}}}', id="stops"),
    ],
)
def test_memory_is_bounded(tmp_path: Path, hostile: str) -> None:
    opt = reference.lay_out(1, tmp_path)
    settle(tmp_path, "station_2")
    (opt / "train_config.json").write_text(hostile)
    status, memory, _ = most_memory("check", root=tmp_path)
    assert status == 65
    assert memory < MOST_MEMORY


def _long_key_twice(config: Config) -> str:
    key = json.dumps("a" * (ROOM // 2))
    return f"{{{key}: 1, {key}: 1}}"


def _long_station(config: Config) -> str:
    return json.dumps({**config, "rsa_public_keys": {"a" * ROOM: ""}})


def _without_us(config: Config) -> str:
    key = config["rsa_public_keys"]["station_1"]
    stations = {f"{number}{'a' * 1000}": key for number in range(5000)}
    return json.dumps({**config, "rsa_public_keys": stations, "encrypted_key": None})


@pytest.mark.parametrize("hostile", [_long_key_twice, _long_station, _without_us])
def test_long_names_do_not_fill_the_log(tmp_path: Path, hostile: Callable[[Config], str]) -> None:
    opt = reference.lay_out(0, tmp_path)
    settle(tmp_path, "station_2")
    (opt / "train_config.json").write_text(hostile(reference.load_config(opt)))
    status, _, said = most_memory("check", root=tmp_path)
    assert status in (65, 76)
    assert said.startswith("pht: ")
    assert len(said) < 20_000


def test_a_route_that_would_outgrow_the_configuration_is_refused_at_its_first_stop(
    tmp_path: Path,
) -> None:
    keys = {f"stop-{number}": reference.vector_key("station_1") for number in range(9000)}
    user = reference.vector_key("user", private=True)
    reference.build_initial(tmp_path, {"train.sh": b""}, user, keys)
    settle(tmp_path, "stop-0", reference.vector_key("station_1", private=True))
    status, _, said = most_memory("check", root=tmp_path)
    assert (status, "[route-too-long]" in said) == (65, True)

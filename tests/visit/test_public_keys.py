"""Public keys in PKCS#1 are read like others, and written on as they came."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests import reference
from tests.station import edit, new_route_train, new_train, settle, visit


def in_pkcs1(pem: str) -> str:
    key = serialization.load_pem_public_key(bytes.fromhex(pem))
    new = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
    return new.replace(b"\n", b"\r\n").hex().upper()  # as nobody here would write it


def change_flat(config: dict[str, Any]) -> None:
    config["rsa_user_public_key"] = in_pkcs1(config["rsa_user_public_key"])
    keys = config["rsa_public_keys"]
    config["rsa_public_keys"] = {station: in_pkcs1(pem) for station, pem in keys.items()}


def change_route(config: dict[str, Any]) -> None:
    for holder in (config["creator"], config["build"], *config["route"]):
        holder["rsa_public_key"] = in_pkcs1(holder["rsa_public_key"])


def keys_of(config: dict[str, Any]) -> object:
    if "route" not in config:
        return config["rsa_user_public_key"], config["rsa_public_keys"]
    holders = (config["creator"], config["build"], *config["route"])
    return [holder["rsa_public_key"] for holder in holders]


@pytest.mark.parametrize(
    ("build", "change"),
    [(new_train, change_flat), (new_route_train, change_route)],
    ids=["flat", "route"],
)
def test_a_train_visits_and_its_keys_stay_as_they_came(
    build: Any, change: Any, tmp_path: Path
) -> None:
    opt = build(tmp_path, "")
    edit(opt, change)
    before = keys_of(reference.load_config(opt))

    for station in reference.STATIONS[:2]:
        settle(tmp_path, station)
        done = visit(tmp_path)
        assert done.status == 0, done.stderr

    assert keys_of(reference.load_config(opt)) == before

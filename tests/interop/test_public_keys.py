"""Public keys in PKCS#1, as the desktop application makes them, at stations of both kinds."""

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from tests import reference
from tests.interop.authors import USER, by_pht_create_route
from tests.interop.conftest import Depart
from tests.interop.journey import OURS, ROUTE_STATIONS, STATIONS, THEIRS, Journey
from tests.station import pht

Shapes = dict[str, Path]
Keys = dict[str, bytes]

PKCS1 = b"-----BEGIN RSA PUBLIC KEY-----".hex()


def key_places(config: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Return where a configuration of either generation has public keys."""
    if "route" in config:
        holders = [config["creator"], config["build"], *config["route"]]
        return [(holder, "rsa_public_key") for holder in holders]
    stations = config["rsa_public_keys"]
    return [(config, "rsa_user_public_key"), *((stations, name) for name in stations)]


def to_pkcs1(opt: Path) -> None:
    """Write every public key of a train in the other form; they are not signed."""
    config = reference.load_config(opt)
    for holder, name in key_places(config):
        key = serialization.load_pem_public_key(bytes.fromhex(holder[name]))
        pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
        holder[name] = pem.hex()
    (opt / "train_config.json").write_text(json.dumps(config, indent=2))


def assert_travels(
    train: Journey, stops: dict[str, str], data: Path, user_key: bytes, folder: Path
) -> None:
    """Make the visits, and check that the user reads the results and the keys stay as they came."""
    before = keys_of(train.take(folder / "departed"))
    assert all(key.startswith(PKCS1) for key in before)
    for station, kind in stops.items():
        train.visit(kind, station, data)
    opt = train.take(folder / "arrived")
    assert keys_of(opt) == before
    (folder / "user.pem").write_bytes(user_key)
    done = pht("decrypt-results", opt, "--key", folder / "user.pem", "--output", folder / "opened")
    assert done.status == 0, done.stderr
    assert (folder / "opened" / "a.txt").read_bytes() == (data / "a.txt").read_bytes()


def keys_of(opt: Path) -> list[str]:
    return [holder[name] for holder, name in key_places(reference.load_config(opt))]


def test_a_train_with_a_route_visits_stations_of_both_kinds(
    depart_route: Depart, shapes: Shapes, keys: Keys, tmp_path: Path
) -> None:
    train = depart_route(by_pht_create_route, change=to_pkcs1)
    stops = dict(zip(ROUTE_STATIONS, (THEIRS, OURS, THEIRS), strict=False))
    assert_travels(train, stops, shapes["one"], keys[USER], tmp_path)


def test_a_flat_train_visits_stations_of_both_kinds(
    depart: Depart, shapes: Shapes, keys: Keys, tmp_path: Path
) -> None:
    train = depart(change=to_pkcs1)
    stops = dict(zip(STATIONS, (THEIRS, OURS, THEIRS), strict=False))
    assert_travels(train, stops, shapes["one"], keys[USER], tmp_path)

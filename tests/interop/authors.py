"""How the trains of these tests come to be: as published ones are built, and by `pht create`."""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from tests import reference
from tests.interop import environments
from tests.interop.journey import ROUTE_STATIONS, STATIONS, TRAIN
from tests.station import PATIENCE_S, pht

USER = "user"
BUILDER = "builder"
PUBLISHED_BUILDER = Path(__file__).with_name("published_builder.py")

Author = Callable[[Path, Mapping[str, bytes]], Path]
"""Takes an empty folder and the private keys (PEM), and returns `folder/opt`."""


def by_train_builder(folder: Path, keys: Mapping[str, bytes]) -> Path:
    """Build a flat train as the published service does."""
    files = {f"./{path.name}": path.read_bytes() for path in sorted(TRAIN.glob("*.py"))}
    stations = {station: public_half(keys[station]) for station in STATIONS}
    return reference.build_initial(folder / "built", files, keys[USER], stations, user_id=42)


def by_pht_create(folder: Path, keys: Mapping[str, bytes]) -> Path:
    """Build a flat train at the author's desk."""
    return _create(folder, keys, STATIONS, "--generation", "flat")


def by_pht_create_route(folder: Path, keys: Mapping[str, bytes], master_image: str = "") -> Path:
    """Build a train of the route generation at the author's desk."""
    builder = folder / "builder.private.pem"
    builder.write_bytes(keys[BUILDER])
    options = ("--builder-key", builder, "--master-image", master_image)
    return _create(folder, keys, ROUTE_STATIONS, *options)


def _create(
    folder: Path, keys: Mapping[str, bytes], stations: Sequence[str], *options: str | Path
) -> Path:
    user = folder / "user.private.pem"
    user.write_bytes(keys[USER])
    arguments: list[str | Path] = [
        "--output",
        folder / "built",
        "--user-key",
        user,
        "--user",
        "u",
        "--train-id",
        "t",
        *options,
    ]
    for number, station in enumerate(stations):
        pem = folder / f"{number}.public.pem"
        pem.write_bytes(public_half(keys[station]))
        arguments += ["--station", f"{station}={pem}"]
    done = pht("create", TRAIN, *arguments)
    assert done.status == 0, done.stderr
    return folder / "built" / "opt"


def by_published_route_builder(folder: Path, keys: Mapping[str, bytes]) -> Path:
    """Build a train of the route generation with the published package."""
    given = {
        USER: keys[USER].decode(),
        BUILDER: keys[BUILDER].decode(),
        "stations": {station: public_half(keys[station]).decode() for station in ROUTE_STATIONS},
    }
    python = environments.make(environments.ROUTE_VERSION)
    done = subprocess.run(
        [python, "-I", PUBLISHED_BUILDER, TRAIN, folder / "built" / "opt"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "built" / "opt"


def public_half(private: bytes) -> bytes:
    """Return the public half of a private key, both as PEM."""
    key = serialization.load_pem_private_key(private, password=None)
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

"""How the trains of these tests come to be: as published ones are built, and by `pht create`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from tests import reference
from tests.interop.journey import STATIONS, TRAIN
from tests.station import pht

USER = "user"

Author = Callable[[Path, Mapping[str, bytes]], Path]
"""Takes an empty folder and the private keys (PEM), and returns `folder/opt`."""


def by_train_builder(folder: Path, keys: Mapping[str, bytes]) -> Path:
    """Build the train as the service does that makes published ones."""
    files = {f"./{path.name}": path.read_bytes() for path in sorted(TRAIN.glob("*.py"))}
    stations = {station: _public(keys[station]) for station in STATIONS}
    return reference.build_initial(folder / "built", files, keys[USER], stations, user_id=42)


def by_pht_create(folder: Path, keys: Mapping[str, bytes]) -> Path:
    """Build the train at the author's desk."""
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
    ]
    for number, station in enumerate(STATIONS):
        public = folder / f"{number}.public.pem"
        public.write_bytes(_public(keys[station]))
        arguments += ["--station", f"{station}={public}"]
    done = pht("create", TRAIN, "--generation", "flat", *arguments)
    assert done.status == 0, done.stderr
    return folder / "built" / "opt"


def _public(private: bytes) -> bytes:
    key = serialization.load_pem_private_key(private, password=None)
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

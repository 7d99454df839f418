"""How the trains of these tests come to be: as published ones are built, and by `pht create`."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from tests import reference
from tests.containers.engine import engine_address
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
    return _create(folder, keys, ROUTE_STATIONS, *_of_the_route(folder, keys, master_image))


def by_pht_build_route(
    folder: Path, keys: Mapping[str, bytes], master_image: str, repository: str
) -> None:
    """Build the image of such a train, with a relative command, at the author's desk."""
    shutil.copytree(TRAIN, folder / "train")
    project = 'command = ["python", "train.py"]\nworkdir = "/opt/pht_train"\n'
    (folder / "pht.toml").write_text(project)
    words = _signed(folder, keys, ROUTE_STATIONS)
    words += [*_of_the_route(folder, keys, master_image), "--repository", repository]
    done = pht("build", folder / "train", *words, env=engine_address())
    assert done.status == 0, done.stderr


def _of_the_route(folder: Path, keys: Mapping[str, bytes], master_image: str) -> list[str | Path]:
    """Return the options that only trains of the route generation need."""
    builder = folder / "builder.private.pem"
    builder.write_bytes(keys[BUILDER])
    return ["--builder-key", builder, "--master-image", master_image]


def _create(
    folder: Path, keys: Mapping[str, bytes], stations: Sequence[str], *options: str | Path
) -> Path:
    words = _signed(folder, keys, stations)
    done = pht("create", TRAIN, "--output", folder / "built", *words, *options)
    assert done.status == 0, done.stderr
    return folder / "built" / "opt"


def _signed(folder: Path, keys: Mapping[str, bytes], stations: Sequence[str]) -> list[str | Path]:
    """Return the options that name the user and the stations, whose keys are put into a folder."""
    user = folder / "user.private.pem"
    user.write_bytes(keys[USER])
    words: list[str | Path] = ["--user-key", user, "--user", "u", "--train-id", "t"]
    for number, station in enumerate(stations):
        pem = folder / f"{number}.public.pem"
        pem.write_bytes(public_half(keys[station]))
        words += ["--station", f"{station}={pem}"]
    return words


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

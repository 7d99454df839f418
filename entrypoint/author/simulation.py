"""Prepares a simulation: the route, a work folder, the keys and the signed train."""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from entrypoint.author import paillier, private_keys
from entrypoint.author.plan import Plan
from entrypoint.author.signed_train import Definition, Signers, check_unique, sign_train
from entrypoint.crypto.key_files import load_private_key
from entrypoint.crypto.keys import PrivateKey
from entrypoint.errors import MissingInput
from entrypoint.limits import RSA_BITS_MIN
from entrypoint.model import Paths
from entrypoint.report import Report
from entrypoint.train_config import has_builder

USER_KEY = "user.private.pem"
"""File name of the user's throw-away key in the work folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Everything that a simulated route starts from.

    Attributes:
        work: the folder that holds the train, the keys, and a root and a log of every stop.
        user: the user's throw-away key.
        keys: the file of every station's private key, in the order of the route.
        train: the signed train.
        files: the paths of its immutable files.
    """

    work: Path
    user: PrivateKey = field(repr=False)
    keys: Mapping[str, Path]
    train: Paths
    files: Sequence[str]


def find_stations(data: Path, route: Sequence[str] | None) -> list[str]:
    """Return the ids of the route: those given, or the names of all folders of data, sorted.

    Raises:
        MissingInput: a station has no folder.
        UsageError: a station is named twice.
    """
    folders = [path.name for path in data.iterdir() if path.is_dir()] if data.is_dir() else []
    found = sorted((name for name in folders if not name.startswith(".")), key=_natural)
    if not found:
        raise _no_data(f"there is no folder with a station's data in {data}")
    for station in route or ():
        if station not in found:
            raise _no_data(f'there is no folder with the data of station "{station}" in {data}')
    stations = found if route is None else list(route)
    check_unique(stations)
    return stations


@contextmanager
def work_folder(keep: Path | None) -> Iterator[Path]:
    """Yield the full path of the folder to keep, or of one that is removed in the end."""
    if keep is not None:
        keep.mkdir(exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="pht-simulate-") as folder:
        yield Path(folder).resolve()


def prepare(plan: Plan, stations: Sequence[str], work: Path, report: Report) -> Simulation:
    """Make the signed train, and a key for everyone who has none in the folder `plan.keys`.

    Raises:
        PhtError: a given key is not acceptable, or the folder cannot become a train.
    """
    keys = plan.keys
    if keys is not None and not keys.is_dir():
        raise MissingInput(
            "keys-folder-missing",
            f"there is no folder {keys}",
            hint="name the folder that holds ID.private.pem, or leave --keys out for new keys",
        )
    paillier_key = paillier.read_public(plan.paillier_key, report) if plan.paillier_key else None
    user = _new_key(work / USER_KEY)
    made = work / "keys"
    made.mkdir()
    files: dict[str, Path] = {}
    private: dict[str, PrivateKey] = {}
    for station in stations:
        files[station], private[station] = _station_key(station, keys, made)
    public = {station: key.public_key() for station, key in private.items()}
    paths = Paths(work / "train")
    definition = Definition(
        folder=plan.train,
        exclude=plan.exclude,
        generation=plan.generation,
        user="user",
        train_id="simulation",
        stations=public,
        proposal="",
        master_image="",
        paillier_key=paillier_key,
    )
    builder = private_keys.generate(RSA_BITS_MIN) if has_builder(plan.generation) else None
    config = sign_train(definition, Signers(user=user, builder=builder), paths, report)
    return Simulation(work=work, user=user, keys=files, train=paths, files=config.files)


def _station_key(station: str, given: Path | None, made: Path) -> tuple[Path, PrivateKey]:
    """Return the station's private key and its file, which is new if none was given."""
    name = f"{station}.private.pem"
    for path in (given / name, given / f"{station}.pem") if given else ():
        if path.is_file():
            return path, load_private_key(private_keys.read_pem(path), None, str(path))
    return made / name, _new_key(made / name)


def _new_key(path: Path) -> PrivateKey:
    key = private_keys.generate(RSA_BITS_MIN)
    with private_keys.new_file(path) as file:
        file.write(private_keys.pem(key, None))
    return key


def _natural(name: str) -> tuple[list[tuple[str, int]], str]:
    """Return a key that sorts `inst-2` before `inst-10`."""
    parts = re.findall(r"(\D*)(\d*)", name)
    return [(text, int(number or 0)) for text, number in parts], name


def _no_data(problem: str) -> MissingInput:
    return MissingInput(
        "station-data-missing",
        problem,
        hint="make one folder in it for each station, named by the station's id",
    )

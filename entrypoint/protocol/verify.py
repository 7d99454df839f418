"""Steps 1 and 2: the train definition and the chain of station signatures.

No private key is used here, and verifying writes nothing.
"""

import hmac
from collections.abc import Iterator
from pathlib import Path

from entrypoint.crypto.digests import immutable_hash
from entrypoint.crypto.keys import PublicKey, same_key
from entrypoint.errors import IntegrityError, MalformedTrain, RouteError, SettingsError
from entrypoint.limits import CONFIG_PROBLEMS
from entrypoint.model import QUERY
from entrypoint.stages import VerifiedTrain
from entrypoint.train_config import TrainConfig
from entrypoint.tree import Kind, walk


def verify(config: TrainConfig, train: Path) -> VerifiedTrain:
    """Verify the immutable files in the folder `train`, the user's signature and the chain.

    Raises:
        MalformedTrain: a listed file is missing, or something lies there that is not listed.
        IntegrityError: the files are not what the user signed.
        RouteError: the chain of station signatures is not valid.
    """
    _check_entries(config, train)
    query = train / QUERY if config.has_query else None
    files = (train / path for path in config.files)
    digest = immutable_hash(config.user_id, files, config.session_id, query)
    if not hmac.compare_digest(digest, config.definition_hash):
        raise IntegrityError(
            "definition-changed",
            "the immutable files are not the ones that the user signed",
            hint="do not run this train; get the image again, or ask the user to submit it again",
        )
    config.verify_user_signature()
    config.verify_chain()
    return VerifiedTrain(config)


def check_own_entry(config: TrainConfig, station: str, key: PublicKey) -> None:
    """Check that the train names this station, with this station's key.

    Raises:
        RouteError: the train does not stop here.
        SettingsError: the private key is not the one that the train was built for.
    """
    if station not in config.stations:
        raise RouteError(
            "station-not-on-route",
            f"the train does not stop at station {station}",
            hint="check STATION_ID; the ids on this train are: " + ", ".join(config.stations),
        )
    if not same_key(config.stations[station], key):
        raise SettingsError(
            "own-key-mismatch",
            f"the private key does not belong to the public key of {station} on this train",
            hint="use the key that the station registered, or have the train built again",
        )


def unlisted(config: TrainConfig, train: Path) -> list[str]:
    """Return the paths beside the listed files, which must not be there during and after a run.

    Before the run that is compiled Python, for `verify` refuses everything else. After it, that is
    whatever the train has left, for which the next station would refuse it: published packages
    refuse compiled Python too, because they count the files.
    """
    listed = _listed(config)
    return [
        path for path, kind in _entries(train) if kind is not Kind.DIRECTORY and path not in listed
    ]


def _check_entries(config: TrainConfig, train: Path) -> None:
    """Check that there are the listed files, and nothing else but compiled Python.

    An unlisted `numpy.py` would be imported in place of the package: the user's signature covers
    listed files only, so everything else has no business here. Caches of honest trains are the one
    exception, for their builders ran them.
    """
    listed = _listed(config)
    present: set[str] = set()
    problems: list[str] = []
    for path, kind in _entries(train):
        if path in listed and kind is Kind.FILE:
            present.add(path)
        elif kind is not Kind.DIRECTORY and not (kind is Kind.FILE and _is_cache(path)):
            problems.append(f"{path} is {_describe(kind)}")
    problems += [f"{path} is missing" for path in sorted(listed - present)]
    if problems:
        raise MalformedTrain(
            "train-files-differ",
            "pht_train does not hold exactly the files of the signed list",
            hint="do not run this train; build it again with only the listed files",
            problems=problems[:CONFIG_PROBLEMS],
        )


def _listed(config: TrainConfig) -> set[str]:
    return {*config.files, *([QUERY] if config.has_query else [])}


def _entries(train: Path) -> Iterator[tuple[str, Kind]]:
    """Yield paths and kinds; a second name of a file is a file here, its contents are hashed.

    A link in the place of the folder counts as no folder: the next station would refuse it.
    """
    if train.is_dir() and not train.is_symlink():
        for entry in walk(train):
            kind = Kind.FILE if entry.kind is Kind.HARD_LINK else entry.kind
            yield entry.path, kind


def _is_cache(path: str) -> bool:
    parts = path.split("/")
    return len(parts) > 1 and parts[-2] == "__pycache__" and path.endswith(".pyc")


def _describe(kind: Kind) -> str:
    return "not in the signed list" if kind is Kind.FILE else f"a {kind.value}"

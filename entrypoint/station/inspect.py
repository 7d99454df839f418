"""`pht inspect`: describes the route of a train and each stop, without any key."""

import json
import os
from pathlib import Path
from typing import Any

from entrypoint.crypto.keys import fingerprint
from entrypoint.errors import MissingInput, PhtError
from entrypoint.images.validate import newest_config
from entrypoint.model import Paths
from entrypoint.protocol.verify import verify, verify_signatures
from entrypoint.report import table
from entrypoint.station.validate_image import read_archive
from entrypoint.train_config import TrainConfig, immutable_files, read
from entrypoint.train_config.file import read_config
from entrypoint.trust.anchors import NO_ANCHORS, keys_of, lines

_NO_FOLDER = Path(os.devnull)
"""In the place of a train's folder that is not at hand: only a query that is listed is found."""

_COMPARE = "# compare each key with its holder, by another way than the train came"


def config_in(paths: Paths) -> TrainConfig:
    """Return the configuration of the train in a folder.

    Raises:
        MissingInput: there is no train.
        MalformedTrain: its configuration is not well formed.
    """
    return read(read_config(paths))


def config_in_archive(archive: str) -> TrainConfig:
    """Return the configuration of the train in the archive of an image; `-` is stdin.

    Raises:
        MissingInput: there is no train in it, or no archive.
        MalformedTrain: its configuration, or the archive, is not well formed.
        IntegrityError: the archive holds several images.
    """
    data = newest_config(read_archive(archive).layers)
    if data is None:
        raise MissingInput(
            "no-train",
            f"the image in {archive} has no train_config.json that can be read",
            hint="give the archive of a train's image, as docker save, podman save or skopeo copy "
            "writes it",
        )
    return read(data)


def inspect(config: TrainConfig, train: Path | None, *, as_json: bool) -> str:
    """Return a description of a train, as text for people or as JSON.

    Everything that needs no private key is verified. A train that fails is described as well, with
    the reason.

    Args:
        config: its configuration.
        train: the folder of its files; None if they are not at hand.
        as_json: the form of the description.
    """
    files = immutable_files(config, train or _NO_FOLDER)
    facts = _facts(config, files, _verdict(config, train))
    return json.dumps(facts, indent=2) if as_json else _text(facts, in_archive=train is None)


def trust_lines(config: TrainConfig) -> str:
    """Return the lines that pin the keys of a train in the station's file `trust`."""
    return "\n".join([_COMPARE, *lines(keys_of(config))])


def _verdict(config: TrainConfig, train: Path | None) -> str:
    try:
        if train is None or config.encrypts_definition:
            verify_signatures(config)
        else:
            verify(config, train, None, anchors=NO_ANCHORS)
        config.verify_result_signature()
    except PhtError as error:
        return f"{error.code}: {error.message}"
    return "valid"


def _facts(config: TrainConfig, files: list[str], verdict: str) -> dict[str, Any]:
    order = [visit.station for visit in config.visits]
    return {
        "generation": config.generation,
        "train_id": config.train_id,
        "user_id": config.user_id,
        "user_key": fingerprint(config.user_key),
        "session_id": config.session_id.hex(),
        "signatures": verdict,
        "result_hash": config.result_hash.hex() if config.result_hash else None,
        "files": files,
        "files_encrypted": config.encrypts_definition,
        "stations": [
            {
                "station": station,
                "stops": [stop for stop, name in enumerate(order, start=1) if name == station],
                "key": fingerprint(key),
            }
            for station, key in config.stations.items()
        ],
    }


def _text(facts: dict[str, Any], *, in_archive: bool) -> str:
    last = f"{facts['result_hash'][:16]}…" if facts["result_hash"] else "none yet"
    encrypted = ", encrypted and therefore not checked" if facts["files_encrypted"] else ""
    unchecked = encrypted or (", not checked in an archive" if in_archive else "")
    head = [
        ("train", facts["train_id"]),
        ("generation", facts["generation"]),
        ("user", f"{facts['user_id']} (key {facts['user_key'][:16]}…)"),
        ("session", f"{facts['session_id'][:16]}…"),
        ("signatures", facts["signatures"]),
        ("result hash", last),
        ("files", f"{len(facts['files'])}{unchecked}"),
    ]
    rows = [
        (
            station["station"],
            ", ".join(map(str, station["stops"])) or "not yet",
            f"{station['key'][:16]}…",
        )
        for station in facts["stations"]
    ]
    return table(("train", ""), head) + "\n" + table(("station", "stop", "key (SHA-256)"), rows)

"""`pht inspect`: describes the route of a train and each stop, without any key."""

import json
from typing import Any

from entrypoint.crypto.keys import fingerprint
from entrypoint.errors import PhtError
from entrypoint.model import Paths
from entrypoint.protocol.verify import verify, verify_signatures
from entrypoint.report import table
from entrypoint.train_config import TrainConfig, immutable_files, read
from entrypoint.train_config.file import read_config
from entrypoint.trust.anchors import NO_ANCHORS, keys_of, lines

_COMPARE = "# compare each key with its holder, by another way than the train came"


def inspect(paths: Paths, *, as_json: bool) -> str:
    """Return a description of the train, as text for people or as JSON.

    Everything that needs no private key is verified. A train that fails is described as well, with
    the reason.

    Raises:
        MissingInput: there is no train.
        MalformedTrain: its configuration is not well formed.
    """
    config = read(read_config(paths))
    facts = _facts(config, immutable_files(config, paths.train), _verdict(config, paths))
    return json.dumps(facts, indent=2) if as_json else _text(facts)


def trust_lines(paths: Paths) -> str:
    """Return the lines that pin the keys of the train in the station's file `trust`.

    Raises:
        MissingInput: there is no train.
        MalformedTrain: its configuration is not well formed.
    """
    return "\n".join([_COMPARE, *lines(keys_of(read(read_config(paths))))])


def _verdict(config: TrainConfig, paths: Paths) -> str:
    try:
        if config.encrypts_definition:
            verify_signatures(config)
        else:
            verify(config, paths.train, None, anchors=NO_ANCHORS)
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


def _text(facts: dict[str, Any]) -> str:
    last = f"{facts['result_hash'][:16]}…" if facts["result_hash"] else "none yet"
    encrypted = ", encrypted and therefore not checked" if facts["files_encrypted"] else ""
    head = [
        ("train", facts["train_id"]),
        ("generation", facts["generation"]),
        ("user", f"{facts['user_id']} (key {facts['user_key'][:16]}…)"),
        ("session", f"{facts['session_id'][:16]}…"),
        ("signatures", facts["signatures"]),
        ("result hash", last),
        ("files", f"{len(facts['files'])}{encrypted}"),
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

"""Trains of the route generation before their second stop, and readers of what they hold."""

from pathlib import Path

from tests import reference, reference_route
from tests.reference import STATIONS
from tests.station import (
    RUNS_TRAIN,
    new_route_train,
    settle,
)

IMPORTS = """
import json, os, pathlib, shutil, sys, time
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
train = pathlib.Path(os.environ["PHT_TRAIN_DIR"])
opt = results.parent
"""
WRITES_CACHES = (RUNS_TRAIN[0], "-E", *RUNS_TRAIN[1:])
"""Python that does not look at PYTHONDONTWRITEBYTECODE."""
FILES = {"helper.py": b"SECRET = 'of the code'", "query.json": b'{"a": 1}', "a/model": b"m" * 40}
CODE = b"of the code"


def key_of(station: str | None) -> bytes:
    return reference.vector_key(station or "user", private=True)


def second_stop(root: Path, script: str) -> Path:
    """Lay out a train with results that is about to stop at station_2."""
    opt = new_route_train(root, IMPORTS + script, FILES)
    reference_route.published_pre_run(opt, STATIONS[0], key_of(STATIONS[0]))
    (opt / "pht_results" / "old").write_bytes(b"old")
    (opt / "pht_train" / "a" / "model").chmod(0o440)
    (opt / "pht_train" / "train.py").chmod(0o750)
    reference_route.published_post_run(opt, STATIONS[0], key_of(STATIONS[0]))
    settle(root, STATIONS[1])
    return opt


def definition(opt: Path, station: str | None = None) -> dict[str, bytes]:
    """Return the immutable files as a reader opens them, verified without our code."""
    return reference_route.decrypt_definition(opt, key_of(station), station)


def holding(folder: Path, plaintext: bytes) -> list[str]:
    """Return the files below a folder that hold some plaintext."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if plaintext in path.read_bytes()]

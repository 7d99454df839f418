"""Trains before their first stop, whose script finds the folder of its results."""

from pathlib import Path

from tests.station import new_train, settle

IMPORTS = """
import json, os, sys, pathlib
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
"""


def first_stop(root: Path, script: str, **fields: object) -> Path:
    """Build a train that is about to make its first stop, at station_1."""
    opt = new_train(root, IMPORTS + script, None, **fields)
    settle(root, "station_1")
    return opt

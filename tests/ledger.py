"""Ledgers of stations, and trains that come back in another state than before."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from tests import reference, reference_route
from tests.reference import STATIONS
from tests.station import new_route_train, new_train

FIRST, SECOND, THIRD = STATIONS
SESSION = "5e" * 64
WIRES = {"flat": reference, "route": reference_route}

ADDS = """\
import os, pathlib
pathlib.Path(os.environ["PHT_RESULTS_DIR"], "visited").touch()
"""


def give_ledger(root: Path) -> Path:
    """Make an empty ledger below a root folder, as an operator does."""
    folder = root / "var" / "lib" / "pht"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    return folder


def share_ledger(root: Path, folder: Path) -> Path:
    """Let the station below a root folder keep a ledger in a folder, made if it is missing."""
    place = root / "var" / "lib" / "pht"
    place.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    place.symlink_to(folder)
    return folder


def entries(ledger: Path) -> list[dict[str, Any]]:
    """Return what a ledger holds; fails if anything else lies there but the lock."""
    files = [path for path in sorted(ledger.iterdir()) if path.name != "lock"]
    assert all(path.suffix == ".json" for path in files)
    return [json.loads(path.read_bytes()) for path in files]


def lay_out_at(
    root: Path,
    wire: ModuleType,
    *stops: str,
    result: bytes = b"1",
    script: str = ADDS,
    session: str = SESSION,
) -> Path:
    """Put a train that has made some stops in the place of the one below a root folder.

    Returns:
        `root/opt`.
    """
    shutil.rmtree(root / "opt", ignore_errors=True)
    build = new_route_train if wire is reference_route else new_train
    opt = build(root, script, session_id=session)
    for stop in stops:
        add_stop(opt, wire, stop, result=result)
    return opt


def add_stop(opt: Path, wire: ModuleType, stop: str, *, result: bytes = b"1") -> None:
    """Let a train make a stop, whose signature is another one each time."""
    key = reference.vector_key(stop, private=True)
    if wire is reference_route:
        wire.published_pre_run(opt, stop, key)
    (opt / "pht_results" / "result").write_bytes(result)
    wire.published_post_run(opt, stop, key)


Offer = Callable[[Path, ModuleType], Path]

REPLAYS: Mapping[str, tuple[str, Offer]] = {
    "another result": (
        "forked-state",
        lambda root, wire: lay_out_at(root, wire, FIRST, result=b"2"),
    ),
    "another signature of the same result": (
        "forked-state",
        lambda root, wire: lay_out_at(root, wire, FIRST),
    ),
    "another definition": (
        "session-reused",
        lambda root, wire: lay_out_at(root, wire, FIRST, script=ADDS + "pass\n"),
    ),
}
"""By name: the code of the refusal, and what lays the train out that comes after one that has made
its first stop with `lay_out_at`."""

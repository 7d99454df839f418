"""Trains before their second stop that do damage, and what has to be left of it."""

import os
from pathlib import Path

from tests import reference
from tests.station import Snapshot, check, new_train, settle, snapshot

IMPORTS = """
import os, pathlib, shutil, signal, subprocess, sys, time
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
opt = results.parent
outside = opt.parent / "outside"
config = opt / "train_config.json"
work = opt / "pht_results.pht"
"""


def second_stop(root: Path, script: str) -> Path:
    """Lay out a train with sealed results of every kind that is about to stop at station_2."""
    opt = new_train(root, IMPORTS + script)
    results = opt / "pht_results"
    for name in ("a/b/deep", "a/beside", "empty", "small", "ü"):
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_bytes(b"plaintext" * 4 if name != "empty" else b"")
    (results / "large").write_bytes(os.urandom(2_500_000))
    (results / "folder" / "inner").mkdir(parents=True)
    (results / "link").symlink_to("a/beside")
    (results / "small").chmod(0o640)
    (results / "a" / "b").chmod(0o750)
    (results / "folder").chmod(0o711)
    if os.geteuid() == 0:
        os.chown(results / "a" / "beside", 1000, 1001)
        os.chown(results / "link", 1000, 1001, follow_symlinks=False)
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    (root / "outside").mkdir()
    (root / "outside" / "precious").write_bytes(b"precious")
    settle(root, "station_2")
    return opt


def assert_as_before(root: Path, before: Snapshot) -> None:
    assert snapshot(root) == before
    assert check(root).status == 0

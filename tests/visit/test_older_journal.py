"""A train that puts back the journal of an earlier visit, which this station has written itself."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from entrypoint.crypto.mac import journal_key
from entrypoint.recovery.journal import Journal, Phase
from tests import reference
from tests.station import (
    RUNS_TRAIN,
    assert_explained,
    finish,
    new_train,
    settle,
    start,
    visit,
)
from tests.unprotected import UNPROTECTED

SCRIPT = """
import os, pathlib, sys, time
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
older = results.parents[1] / "older"
(results / "new").touch()
if not older.exists():
    print("ready", flush=True)
    time.sleep(60)
print((results.parent / "train_config.json").write_bytes(older.read_bytes()), flush=True)
"""


def plant_older_journal(root: Path, end: str) -> Path:
    """Lay out a train at its second stop whose next run finds an earlier journal, and return it."""
    opt = new_train(root, SCRIPT + end)
    (opt / "pht_results" / "old").write_bytes(b"old")
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    settle(root, "station_2")
    process = start("run", "--", *RUNS_TRAIN, root=root, under=UNPROTECTED)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    journal = (opt / "train_config.json").read_bytes()
    process.kill()
    finish(process)
    (root / "older").write_bytes(journal)
    return root / "older"


def read_journal(data: bytes) -> Journal:
    key = load_pem_private_key(reference.vector_key("station_2", private=True), None)
    assert isinstance(key, RSAPrivateKey)
    journal = Journal.decode(data, journal_key(key))
    assert journal is not None
    return journal


@pytest.mark.parametrize("status", [0, 3], ids=["succeeds", "fails"])
def test_it_is_refused_when_a_train_that_plants_it(status: int, tmp_path: Path) -> None:
    older = plant_older_journal(tmp_path, f"sys.exit({status})").read_bytes()
    authentic = read_journal(older)
    assert authentic.phase is Phase.OPEN

    done = visit(tmp_path, under=UNPROTECTED)

    assert done.stdout == b"%d\n" % len(older)
    assert done.facts["state"] == "unchanged"
    if status:
        assert (done.status, done.facts["result"]) == (status, "train-failed")
    else:
        assert_explained(done, 65, "train-changed-itself")
        assert "train_config.json" in done.stderr
    assert (tmp_path / "opt" / "train_config.json").read_bytes() == authentic.config

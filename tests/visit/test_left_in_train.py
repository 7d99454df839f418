"""Files that a train leaves beside its signed ones do not travel: they would be refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.station import (
    RUNS_TRAIN,
    Done,
    Snapshot,
    assert_explained,
    new_train,
    pht,
    settle,
    snapshot,
    visit,
)
from tests.unprotected import UNPROTECTED

SCRIPT = """
import os, pathlib, sys
import helper
train = pathlib.Path(os.environ["PHT_TRAIN_DIR"])
(train / "notes.txt").write_text("scratch")
(train / "tmp").mkdir()
(train / "tmp" / "link").symlink_to("../train.py")
assert (train / "__pycache__").exists()
sys.exit(helper.STATUS)
"""
WRITES_CACHES = (RUNS_TRAIN[0], "-E", *RUNS_TRAIN[1:])
"""Python that does not look at PYTHONDONTWRITEBYTECODE."""


def new_train_with_helper(root: Path, status: int = 0) -> Snapshot:
    """Build a train that ends with `status` and return what its folder holds."""
    opt = new_train(root, SCRIPT, {"helper.py": f"STATUS = {status}".encode()})
    settle(root, "station_1")
    return snapshot(opt / "pht_train")


def run_by_hand(root: Path, status: int) -> None:
    """Run the train by hand between the halves, without any variable of ours."""
    train = root / "opt" / "pht_train"
    environment = {"PATH": os.environ["PATH"], "PHT_TRAIN_DIR": str(train)}
    done = subprocess.run([sys.executable, train / "train.py"], env=environment, check=False)
    assert done.returncode == status
    assert (train / "__pycache__").exists()


def assert_removal_is_told(done: Done) -> None:
    [warning] = [line for line in done.lines if "the train has left files in pht_train" in line]
    assert warning.startswith("pht: warning: ")
    assert "which are gone now: notes.txt, tmp/link; only" in warning
    assert any("removed compiled Python from pht_train: __pycache__/" in x for x in done.lines)


@pytest.mark.parametrize("status", [0, 3])
def test_a_visit_removes_it_whether_the_train_succeeds_or_fails(
    tmp_path: Path, status: int
) -> None:
    before = new_train_with_helper(tmp_path, status)
    done = visit(tmp_path, WRITES_CACHES)
    assert done.status == status
    assert_removal_is_told(done)
    assert snapshot(tmp_path / "opt" / "pht_train") == before


@pytest.mark.parametrize("half", ["post-run", "undo"])
def test_the_halves_remove_it_after_a_run_by_hand(tmp_path: Path, half: str) -> None:
    before = new_train_with_helper(tmp_path)
    assert pht("pre-run", root=tmp_path).status == 0
    run_by_hand(tmp_path, 0)
    done = pht(half, root=tmp_path)
    assert done.status == 0
    assert_removal_is_told(done)
    assert snapshot(tmp_path / "opt" / "pht_train") == before


def test_a_train_that_failed_can_be_started_again(tmp_path: Path) -> None:
    new_train_with_helper(tmp_path, 3)
    assert [visit(tmp_path, WRITES_CACHES).status for _ in range(2)] == [3, 3]


def test_only_some_of_many_files_are_named(tmp_path: Path) -> None:
    opt = new_train(
        tmp_path,
        "import os; os.chdir(os.environ['PHT_TRAIN_DIR'])\n"
        "for number in range(100): open(str(number), 'w').close()",
    )
    settle(tmp_path, "station_1")
    before = snapshot(opt / "pht_train")
    done = visit(tmp_path)
    assert any(
        "are gone now: 0, 1, 10, 11, 12, 13, 14, 15, 16, 17 and 90 more; only" in line
        for line in done.lines
    )
    assert snapshot(opt / "pht_train") == before


@pytest.mark.parametrize(
    "change",
    ["(train / 'helper.py').write_text('STATUS = 1')", "(train / 'helper.py').unlink()"],
    ids=["changed", "removed"],
)
def test_a_train_that_changes_its_own_signed_files_is_not_sealed(
    tmp_path: Path, change: str
) -> None:
    script = "import os, pathlib; train = pathlib.Path(os.environ['PHT_TRAIN_DIR']); " + change
    opt = new_train(tmp_path, script, {"helper.py": b"STATUS = 0"})
    settle(tmp_path, "station_1")
    before = snapshot(opt)

    done = visit(tmp_path, under=UNPROTECTED)

    assert_explained(done, 65, "train-changed-itself")
    assert done.facts["by"] == "author"
    after = snapshot(opt)
    assert {path: after.get(path) for path in before if "helper" not in path} == {
        path: fact for path, fact in before.items() if "helper" not in path
    }

"""Trains that put something else where the runner expects their files, and runners killed then."""

from pathlib import Path

import pytest

from tests import reference
from tests.station import (
    RUNS_TRAIN,
    assert_explained,
    finish,
    new_train,
    pht,
    settle,
    snapshot,
    start,
    visit,
)
from tests.unprotected import UNPROTECTED

LINKS_RESULTS = """
import os
results = os.environ["PHT_RESULTS_DIR"]
os.rename(results, results + "-moved")
os.symlink(results + "-moved", results)
"""
LINKS_TRAIN = LINKS_RESULTS.replace("RESULTS", "TRAIN")
CHANGES_ITSELF = 'import os; open(os.environ["PHT_TRAIN_DIR"] + "/train.py", "a").write("#")'
REMOVES_ITSELF = 'import os; os.unlink(os.environ["PHT_TRAIN_DIR"] + "/train.py")'
WAITS = "\nimport time; print('ready', flush=True); time.sleep(60)\n"

OF_THE_TRAIN = ["pht_train", "pht_results", "train_config.json"]


def kill_visit(root: Path) -> None:
    """Start a visit and kill the runner when the train waits."""
    process = start("run", "--", *RUNS_TRAIN, root=root, under=UNPROTECTED)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    assert finish(process).status == -9


@pytest.mark.parametrize("script", [CHANGES_ITSELF, REMOVES_ITSELF, LINKS_TRAIN])
def test_a_train_that_changes_its_signed_files_is_not_sealed(tmp_path: Path, script: str) -> None:
    opt = new_train(tmp_path, script)
    settle(tmp_path, "station_1")
    config = (opt / "train_config.json").read_bytes()
    done = visit(tmp_path, under=UNPROTECTED)
    assert_explained(done, 65, "train-changed-itself")
    assert done.facts["state"] == "spent"
    assert (opt / "train_config.json").read_bytes() == config
    assert not (opt / "user_sym_key.key").exists()


@pytest.mark.parametrize("script", [CHANGES_ITSELF, REMOVES_ITSELF, LINKS_TRAIN])
def test_nor_is_it_called_unchanged_when_it_fails(tmp_path: Path, script: str) -> None:
    new_train(tmp_path, script + "\nraise SystemExit(3)")
    settle(tmp_path, "station_1")
    done = visit(tmp_path, under=UNPROTECTED)
    assert (done.status, done.facts["state"]) == (3, "spent")
    assert "pht: warning: the signed files are changed: start from the image again" in done.lines


@pytest.mark.parametrize("back", ["run", "undo"])
def test_a_link_in_place_of_the_results_does_not_block_the_way_back(
    tmp_path: Path, back: str
) -> None:
    opt = new_train(tmp_path, LINKS_RESULTS + WAITS)
    settle(tmp_path, "station_1")
    before = {name: snapshot(tmp_path / "opt")[name] for name in OF_THE_TRAIN}
    kill_visit(tmp_path)
    assert (opt / "pht_results").is_symlink()
    if back == "undo":
        assert pht("undo", root=tmp_path).status == 0
    else:
        (opt / "pht_results-moved").rmdir()
        kill_visit(tmp_path)
        assert pht("undo", root=tmp_path).status == 0
    assert {name: snapshot(tmp_path / "opt")[name] for name in OF_THE_TRAIN} == before


def test_a_link_in_place_of_the_signed_files_is_refused_after_the_way_back(tmp_path: Path) -> None:
    opt = new_train(tmp_path, LINKS_TRAIN + WAITS)
    settle(tmp_path, "station_1")
    kill_visit(tmp_path)
    done = visit(tmp_path)
    assert (done.status, done.code) == (65, "train-files-differ")
    assert reference.load_config(opt)["e_d"] is None

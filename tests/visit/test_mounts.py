"""Visits of trains whose places are mount points."""

import json
from pathlib import Path

import pytest

from tests import reference
from tests.station import assert_explained, new_train, opened, pht, settle, snapshot, visit
from tests.visit.conftest import Mount


@pytest.fixture
def volume(tmp_path: Path, mount: Mount) -> Path:
    """A train at its second stop, its results on a file system of their own."""
    opt = new_train(
        tmp_path / "root",
        "import os, pathlib, sys\n"
        "pathlib.Path(os.environ['PHT_RESULTS_DIR'], 'new').touch(); sys.exit(len(sys.argv) - 1)",
    )
    mount(opt / "pht_results", "-t", "tmpfs", "-o", "size=4m", "tmpfs")
    (opt / "pht_results" / "a").write_bytes(b"x")
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    settle(tmp_path / "root", "station_2")
    return tmp_path / "root"


def test_results_on_a_volume_are_sealed(volume: Path) -> None:
    done = visit(volume)

    assert (done.status, done.facts["files"]) == (0, "2")
    assert opened(volume / "opt") == {"a": b"x", "new": b""}
    names = {"pht_results", "pht_train", "train_config.json", "user_sym_key.key"}
    assert {path.name for path in (volume / "opt").iterdir()} == names
    assert {path.name for path in (volume / "opt" / "pht_results").iterdir()} == {"a", "new"}


def test_results_on_a_volume_come_back_after_a_failure(volume: Path) -> None:
    before = snapshot(volume)

    done = visit(volume, ["python3", "/opt/pht_train/train.py", "fail"])

    assert (done.status, done.facts["state"]) == (1, "unchanged")
    assert snapshot(volume) == before


def test_a_config_that_is_mounted_alone(tmp_path: Path, mount: Mount) -> None:
    opt = new_train(tmp_path / "root", "")
    settle(tmp_path / "root", "station_1")
    config = opt / "train_config.json"
    (tmp_path / "config").write_bytes(config.read_bytes())
    mount(config, "--bind", tmp_path / "config")
    before = snapshot(tmp_path)

    done = visit(tmp_path / "root")

    assert_explained(done, 78, "place-unsuitable")
    assert str(config) in done.stderr
    assert snapshot(tmp_path) == before
    assert json.loads(config.read_bytes())["e_h"]


def test_a_mount_among_the_results(tmp_path: Path, mount: Mount) -> None:
    opt = new_train(tmp_path, "")
    settle(tmp_path, "station_1")
    (opt / "pht_results" / "inner").mkdir()
    mount(opt / "pht_results" / "inner", "-t", "tmpfs", "tmpfs")
    before = snapshot(tmp_path)

    done = visit(tmp_path)

    assert_explained(done, 78, "place-unsuitable")
    assert snapshot(tmp_path) == before


def test_check_needs_no_writable_place(tmp_path: Path, mount: Mount) -> None:
    opt = reference.lay_out(2, tmp_path)
    settle(tmp_path, "station_3")
    mount(opt, "--bind", "-o", "ro", opt)

    assert pht("check", root=tmp_path).status == 0
    done = visit(tmp_path, ["sh", "/opt/pht_train/entrypoint.sh"])

    assert_explained(done, 78, "place-unsuitable")
    assert done.facts["state"] == "unchanged"

"""Visits on a small file system of their own: when the disk is full, and when it is unsuitable."""

import json
import os
from pathlib import Path

import pytest

from tests import reference
from tests.station import (
    assert_explained,
    journal,
    new_train,
    opened,
    pht,
    settle,
    snapshot,
    visit,
)
from tests.visit.conftest import Mount

MIB = 2**20
IMPORTS = """
import errno, os, pathlib, sys
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
data = pathlib.Path(os.environ["TRAIN_DATA_PATH"])
with (data / "runs").open("a") as runs:
    runs.write("x")
"""
FILL = """
try:
    with (results / "fill").open("wb") as file:
        while True:
            file.write(bytes(65536))
            file.flush()
except OSError as error:
    assert error.errno == errno.ENOSPC
"""


class Small:
    """A station whose root folder is a file system of a few MiB."""

    def __init__(self, folder: Path, mount: Mount, size: int) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        (folder / "root").mkdir()
        self.root = mount(folder / "root", "-t", "tmpfs", "-o", f"size={size}", "tmpfs")
        self.env = {"TRAIN_DATA_PATH": str(self.data)}

    def second_stop(self, script: str, size: int) -> Path:
        """Lay out a train with sealed results whose plaintext has `size` bytes."""
        opt = new_train(self.root, IMPORTS + script)
        (opt / "pht_results" / "large").write_bytes(os.urandom(size))
        key = reference.vector_key("station_1", private=True)
        reference.published_post_run(opt, "station_1", key)
        settle(self.root, "station_2")
        return opt

    def fill(self, left: int) -> Path:
        """Leave only so many bytes free; return the file that takes the others."""
        facts = os.statvfs(self.root)
        filler = self.root / "filler"
        filler.write_bytes(bytes(facts.f_bavail * facts.f_frsize - left))
        return filler

    @property
    def runs(self) -> int:
        """How often the train has been started."""
        file = self.data / "runs"
        return len(file.read_text()) if file.exists() else 0


@pytest.fixture
def small(tmp_path: Path, mount: Mount) -> Small:
    return Small(tmp_path, mount, 16 * MIB)


def test_no_room_for_the_plaintext(small: Small) -> None:
    small.second_stop("", 3 * MIB)
    small.fill(left=2 * MIB)
    before = snapshot(small.root)

    for done in (visit(small.root, env=small.env), pht("pre-run", root=small.root)):
        assert_explained(done, 74, "disk-full")
        assert (done.facts["retry"], done.facts["state"]) == ("yes", "unchanged")
        assert snapshot(small.root) == before
    assert small.runs == 0
    assert pht("check", root=small.root).status == 0


NO_WAY_BACK = "pht: warning: there is no room to keep the encrypted files: "


def test_no_room_to_keep_the_ciphertext_and_the_train_succeeds(small: Small) -> None:
    opt = small.second_stop("(results / 'large').write_bytes(b'small')", 3 * MIB)
    small.fill(left=6 * MIB)

    done = visit(small.root, env=small.env)

    assert done.status == 0
    assert [line for line in done.lines if line.startswith(NO_WAY_BACK)]
    assert opened(opt) == {"large": b"small"}


def test_no_room_to_keep_the_ciphertext_and_the_train_fails(small: Small) -> None:
    opt = small.second_stop("sys.exit(3)", 3 * MIB)
    small.fill(left=6 * MIB)

    done = visit(small.root, env=small.env)

    assert (done.status, done.facts["state"]) == (3, "spent")
    assert [line for line in done.lines if line.startswith(NO_WAY_BACK)]
    assert journal(small.root)["phase"] == "spent"
    assert journal(small.root)["kept"] == {"pht_results": None}
    assert {path.name for path in opt.iterdir()} == {
        "pht_results",
        "pht_train",
        "train_config.json",
        "user_sym_key.key",
    }
    assert list((opt / "pht_results").iterdir()) == []
    left = snapshot(small.root)
    assert_explained(visit(small.root, env=small.env), 74, "start-from-image")
    assert_explained(pht("undo", root=small.root), 74, "start-from-image")
    assert snapshot(small.root) == left
    assert small.runs == 1


def test_forged_results_are_put_back_even_without_room_to_keep_them(small: Small) -> None:
    opt = small.second_stop("", 3 * MIB)
    (opt / "pht_results" / "zz").write_bytes(b"forged")
    small.fill(left=6 * MIB)
    before = snapshot(small.root)

    done = visit(small.root, env=small.env)

    assert_explained(done, 77, "results-unverified")
    assert done.facts["state"] == "unchanged"
    assert snapshot(small.root) == before


def test_a_train_that_fills_the_disk_and_fails(small: Small) -> None:
    small.second_stop(FILL + "sys.exit(3)", MIB)
    before = snapshot(small.root)

    done = visit(small.root, env=small.env)

    assert (done.status, done.facts["state"]) == (3, "unchanged")
    assert snapshot(small.root) == before


def test_a_train_that_leaves_no_room_to_seal(small: Small) -> None:
    """Its results are kept, and sealed by the next start, without a second run."""
    opt = small.second_stop(f"(results / 'new').write_bytes(bytes({4 * MIB}))", 10)
    filler = small.fill(left=6 * MIB)

    done = visit(small.root, env=small.env)

    assert (done.status, done.facts["state"], done.facts["retry"]) == (74, "unfinished", "yes")
    assert_explained(done, 74, "storage-failed")
    assert "no space left on device" in done.stderr
    assert journal(small.root)["phase"] == "sealing"
    assert_explained(visit(small.root, env=small.env), 74, "storage-failed")
    filler.unlink()
    again = visit(small.root, env=small.env)

    assert (again.status, again.facts["state"]) == (0, "sealed")
    assert opened(opt)["new"] == bytes(4 * MIB)
    assert small.runs == 1


def test_a_disk_too_full_for_the_first_note(small: Small) -> None:
    opt = new_train(small.root, IMPORTS)
    settle(small.root, "station_1")
    small.fill(left=0)
    before = snapshot(opt)

    done = visit(small.root, env=small.env)

    assert_explained(done, 74, "storage-failed")
    assert done.facts["state"] == "unchanged"
    assert snapshot(opt) == before
    assert small.runs == 0


# --- mounts --------------------------------------------------------------------------------------


@pytest.fixture
def volume(tmp_path: Path, mount: Mount) -> Path:
    """A train at its second stop, its results on a file system of their own."""
    opt = new_train(
        tmp_path / "root", IMPORTS + "(results / 'new').touch(); sys.exit(len(sys.argv) - 1)"
    )
    (tmp_path / "data").mkdir()
    mount(opt / "pht_results", "-t", "tmpfs", "-o", "size=4m", "tmpfs")
    (opt / "pht_results" / "a").write_bytes(b"x")
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    settle(tmp_path / "root", "station_2", TRAIN_DATA_PATH=str(tmp_path / "data"))
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

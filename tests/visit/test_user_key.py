"""The user's envelope, `user_sym_key.key`: it can be replaced, and it comes back."""

import os
import shutil
from pathlib import Path

import pytest

from tests import reference
from tests.station import Done, assert_explained, new_train, pht, settle, snapshot, visit
from tests.unprotected import UNPROTECTED
from tests.visit.conftest import Mount

SOMEBODY = 1000
IMPORTS = """
import os, pathlib, shutil, sys
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
key = results.parent / "user_sym_key.key"
"""


def envelope_at_second_stop(root: Path, script: str) -> Path:
    """Lay out a train at its second stop and return the path of the user's envelope."""
    opt = new_train(root, IMPORTS + script)
    (opt / "pht_results" / "old").write_bytes(b"x")
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    settle(root, "station_2")
    return opt / "user_sym_key.key"


def assert_envelope_cannot_be_replaced(done: Done, key: Path) -> None:
    assert_explained(done, 78, "place-unsuitable")
    assert str(key) in done.stderr
    assert done.facts["state"] == "unchanged"


# --- where it cannot be replaced, nothing is opened ----------------------------------------------


def test_an_envelope_of_somebody_else_in_a_folder_as_tmp(tmp_path: Path) -> None:
    """So is /opt of every master image; only its owner may replace a file there."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and the setpriv command")
    key = envelope_at_second_stop(tmp_path, "")
    key.parent.chmod(0o1777)
    for path in (key.parent, key):
        os.chown(path, SOMEBODY, SOMEBODY)
    before = snapshot(tmp_path)

    done = visit(tmp_path, under=["setpriv", "--bounding-set", "-fowner", "--inh-caps", "-fowner"])

    assert_envelope_cannot_be_replaced(done, key)
    assert snapshot(tmp_path) == before


def test_an_envelope_that_is_mounted_alone(tmp_path: Path, mount: Mount) -> None:
    key = envelope_at_second_stop(tmp_path, "")
    mount(key, "--bind", key)
    before = snapshot(tmp_path)

    for done in (visit(tmp_path), pht("pre-run", root=tmp_path)):
        assert_envelope_cannot_be_replaced(done, key)
        assert snapshot(tmp_path) == before


def test_a_folder_in_the_place_of_the_envelope(tmp_path: Path) -> None:
    key = envelope_at_second_stop(tmp_path, "")
    key.unlink()
    key.mkdir()
    (key / "file").touch()
    before = snapshot(tmp_path)

    done = visit(tmp_path)

    assert_envelope_cannot_be_replaced(done, key)
    assert snapshot(tmp_path) == before


def test_a_link_in_the_place_of_the_envelope(tmp_path: Path) -> None:
    key = envelope_at_second_stop(tmp_path, "")
    key.unlink()
    key.symlink_to(tmp_path / "run" / "pht" / "private_key.pem")
    before = snapshot(tmp_path)

    done = visit(tmp_path)

    assert_explained(done, 77, "link-in-place")
    assert str(key) in done.stderr
    assert snapshot(tmp_path) == before


# --- when a visit goes back, it is there as it has arrived ---------------------------------------

CHANGES = {
    "removes it": "key.unlink()",
    "overwrites it": "key.write_bytes(b'x')",
    "appends to it": "key.open('ab').write(b'x')",
    "links it": "key.unlink(); key.symlink_to(results.parent / 'train_config.json')",
    "puts a folder there": "key.unlink(); (key / 'folder').mkdir(parents=True)",
    "opens it to everybody": "key.chmod(0o666)",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_an_envelope_comes_back_when_a_train_fails_that(change: str, tmp_path: Path) -> None:
    key = envelope_at_second_stop(tmp_path, f"{change}\nsys.exit(3)")
    key.chmod(0o640)
    before = snapshot(tmp_path)

    done = visit(tmp_path, under=UNPROTECTED)

    assert (done.status, done.facts["state"]) == (3, "unchanged"), done.stderr
    assert snapshot(tmp_path) == before


def test_an_envelope_comes_back_with_undo(tmp_path: Path) -> None:
    key = envelope_at_second_stop(tmp_path, "")
    before = snapshot(tmp_path)
    assert pht("pre-run", root=tmp_path).status == 0
    key.unlink()

    done = pht("undo", root=tmp_path)

    assert (done.status, done.facts["state"]) == (0, "unchanged"), done.stderr
    assert snapshot(tmp_path) == before


def test_no_envelope_is_left_where_there_was_none(tmp_path: Path) -> None:
    new_train(tmp_path, f"{IMPORTS}\nkey.touch(); sys.exit(3)")
    settle(tmp_path, "station_1")
    before = snapshot(tmp_path)

    done = visit(tmp_path, under=UNPROTECTED)

    assert (done.status, done.facts["state"]) == (3, "unchanged"), done.stderr
    assert snapshot(tmp_path) == before


def test_an_envelope_comes_back_on_a_disk_that_the_train_has_filled(
    tmp_path: Path, mount: Mount
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    mount(root, "-t", "tmpfs", "-o", "size=2m", "tmpfs")
    fill = """
try:
    with (results / "fill").open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
except OSError:
    key.write_bytes(b"")
    sys.exit(3)
"""
    envelope_at_second_stop(root, fill)
    before = snapshot(root)

    done = visit(root, under=UNPROTECTED)

    assert (done.status, done.facts["state"]) == (3, "unchanged"), done.stderr
    assert snapshot(root) == before


def test_an_envelope_that_is_too_large_to_be_one(tmp_path: Path) -> None:
    key = envelope_at_second_stop(tmp_path, "")
    key.write_bytes(bytes(4097))
    before = snapshot(tmp_path)

    done = visit(tmp_path)

    assert_explained(done, 65, "user-key-malformed")
    assert done.facts["state"] == "unchanged"
    assert snapshot(tmp_path) == before

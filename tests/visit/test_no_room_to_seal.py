"""Sealing that cannot fit for other reasons than the bytes of the results' own disk."""

import re
import shutil
from pathlib import Path

import pytest

from tests import reference
from tests.station import (
    Done,
    assert_explained,
    edit,
    journal,
    new_train,
    opened,
    pht,
    settle,
    snapshot,
    visit,
)
from tests.unprotected import UNPROTECTED
from tests.visit.conftest import Mount

MIB = 2**20
IMPORTS = """
import os, pathlib
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
with (results.parents[1] / "runs").open("a") as runs:
    runs.write("x")
"""


def second_stop(root: Path, script: str) -> Path:
    """Lay out a train at its second stop and return its `opt`."""
    opt = new_train(root, IMPORTS + script)
    (opt / "pht_results" / "old").write_bytes(b"x")
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    settle(root, "station_2")
    return opt


def assert_waits(done: Done, root: Path, what: str) -> None:
    assert_explained(done, 74, "disk-full")
    assert re.search(rf"sealing the results needs \d+ {what} and \d+ .*: \d+ are", done.stderr)
    assert (done.facts["retry"], done.facts["state"]) == ("yes", "unfinished")
    assert journal(root)["phase"] == "succeeded"


def test_room_to_commit_is_asked_where_the_configuration_lies(tmp_path: Path, mount: Mount) -> None:
    (tmp_path / "root").mkdir()
    root = mount(tmp_path / "root", "-t", "tmpfs", "-o", "size=8m", "tmpfs")
    fill = """
(results / "new").touch()
try:
    with (results.parent / "full").open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
except OSError:
    pass
"""
    opt = new_train(root, IMPORTS + fill)
    mount(opt / "pht_results", "-t", "tmpfs", "-o", "size=64m", "tmpfs")
    settle(root, "station_1")
    key = reference.vector_key("station_3").hex()
    edit(opt, lambda c: c["rsa_public_keys"].update({f"s{n}": key for n in range(200)}))

    for _ in range(2):
        assert_waits(visit(root, under=UNPROTECTED), root, "bytes")
    (opt / "full").unlink()
    done = visit(root)

    assert done.status == 0, done.stderr
    assert opened(opt) == {"new": b""}
    assert (root / "runs").read_text() == "x"


LARGE_FILES = f"for n in range(20): (results / str(n)).write_bytes(bytes({MIB}))\n"
USES_EVERY_INODE = """
others = results.parents[1] / "others"
others.mkdir()
try:
    for number in range(1000):
        (others / str(number)).touch()
except OSError:
    pass
"""


def test_results_wait_for_room_for_new_files(tmp_path: Path, mount: Mount) -> None:
    (tmp_path / "root").mkdir()
    root = mount(tmp_path / "root", "-t", "tmpfs", "-o", "size=200m,nr_inodes=100", "tmpfs")
    opt = second_stop(root, LARGE_FILES + USES_EVERY_INODE)

    done = visit(root, under=UNPROTECTED)
    assert_waits(done, root, "new files")
    found = re.search(r"(\d+) are missing", done.stderr)
    assert found
    for path in list((root / "others").iterdir())[: int(found[1])]:
        path.unlink()
    done = visit(root)

    assert done.status == 0, done.stderr
    assert len(opened(opt)) == 21
    assert (root / "runs").read_text() == "x"


def test_results_that_wait_for_new_files_can_be_given_up(tmp_path: Path, mount: Mount) -> None:
    (tmp_path / "root").mkdir()
    root = mount(tmp_path / "root", "-t", "tmpfs", "-o", "size=200m,nr_inodes=100", "tmpfs")
    opt = second_stop(root, LARGE_FILES + USES_EVERY_INODE)
    before = snapshot(opt)
    assert_waits(visit(root, under=UNPROTECTED), root, "new files")

    done = pht("undo", root=root)

    assert (done.status, done.facts["state"]) == (0, "unchanged"), done.stderr
    assert snapshot(opt) == before


@pytest.mark.parametrize(
    "script",
    [
        f"(results / 'large').write_bytes(bytes({3 * MIB}))",
        "for n in range(20): (results / str(n)).write_bytes(bytes(200_000))",
    ],
    ids=["one file", "the pack of small files"],
)
def test_a_file_longer_than_the_limit_of_the_process_goes_back(script: str, tmp_path: Path) -> None:
    """`docker run --ulimit fsize` and systemd set it; base64 makes a sealed file longer."""
    if shutil.which("prlimit") is None:
        pytest.skip("needs the prlimit command")
    second_stop(tmp_path, script)
    before = snapshot(tmp_path / "opt")

    done = visit(tmp_path, under=[*UNPROTECTED, "prlimit", f"--fsize={3 * MIB + 4096}"])

    assert_explained(done, 65, "results-too-large")
    assert "ulimit -f" in done.stderr
    assert done.facts["state"] == "unchanged"
    assert snapshot(tmp_path / "opt") == before

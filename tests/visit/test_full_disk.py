"""Visits on a small file system of their own, when the disk is full."""

import os
import re
from pathlib import Path

import pytest

from tests import reference, reference_route
from tests.station import (
    Done,
    assert_explained,
    journal,
    new_route_train,
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
PAGE = 4096
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
EMPTIES = """
for path in results.iterdir():
    path.unlink()
"""
FILLS_THE_REST = FILL.replace('results / "fill"', 'results.parents[1] / "full"')


class Small:
    """A station whose root folder is a file system of a few MiB."""

    def __init__(self, folder: Path, mount: Mount, size: int) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        (folder / "root").mkdir()
        self.root = mount(folder / "root", "-t", "tmpfs", "-o", f"size={size}", "tmpfs")
        self.env = {"TRAIN_DATA_PATH": str(self.data)}

    def second_stop(
        self, script: str, size: int, *, files: int = 1, has_route: bool = False
    ) -> Path:
        """Lay out a train with sealed results whose plaintext has `size` bytes.

        Args:
            script: of the train.
            size: of all files together.
            files: their number. The backup has copies only of those below 1 MiB, encrypted.
            has_route: whether the train is of the route generation.
        """
        key = reference.vector_key("station_1", private=True)
        opt = (new_route_train if has_route else new_train)(self.root, IMPORTS + script)
        wire = reference_route if has_route else reference
        if has_route:
            reference_route.published_pre_run(opt, "station_1", key)
        for number in range(files):
            (opt / "pht_results" / f"{number}").write_bytes(os.urandom(size // files))
        wire.published_post_run(opt, "station_1", key)
        settle(self.root, "station_2")
        return opt

    def fill(self, left: int) -> Path:
        """Fill the disk but for some bytes; return the file that takes the others."""
        facts = os.statvfs(self.root)
        filler = self.root / "filler"
        filler.write_bytes(bytes(facts.f_bavail * facts.f_frsize - left))
        return filler

    @property
    def runs(self) -> int:
        """The number of times that the train was started."""
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


NO_WAY_BACK = "pht: warning: there is no space for a backup of the encrypted files: "


def test_no_room_to_keep_the_ciphertext_and_the_train_succeeds(small: Small) -> None:
    opt = small.second_stop(f"{EMPTIES}(results / 'new').write_bytes(b'new')", 3 * MIB, files=6)
    small.fill(left=6 * MIB)

    done = visit(small.root, env=small.env)

    assert done.status == 0
    assert [line for line in done.lines if line.startswith(NO_WAY_BACK)]
    assert opened(opt) == {"new": b"new"}


def test_no_room_to_keep_the_ciphertext_and_the_train_fails(small: Small) -> None:
    opt = small.second_stop("sys.exit(3)", 3 * MIB, files=6)
    small.fill(left=6 * MIB)

    done = visit(small.root, env=small.env)

    assert (done.status, done.facts["state"]) == (3, "spent")
    assert [line for line in done.lines if line.startswith(NO_WAY_BACK)]
    assert journal(small.root)["phase"] == "spent"
    assert journal(small.root)["backups"] == {"pht_results": None}
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


def test_a_large_file_needs_no_room_to_be_kept(small: Small) -> None:
    opt = small.second_stop("sys.exit(3)", 3 * MIB)
    small.fill(left=6 * MIB)
    before, inode = snapshot(opt), (opt / "pht_results" / "0").stat().st_ino

    done = visit(small.root, env=small.env)

    assert (done.status, done.facts["state"]) == (3, "unchanged")
    assert not [line for line in done.lines if line.startswith(NO_WAY_BACK)]
    assert snapshot(opt) == before
    assert (opt / "pht_results" / "0").stat().st_ino == inode


def test_forged_results_are_put_back_even_without_room_to_keep_them(small: Small) -> None:
    opt = small.second_stop("", 3 * MIB, files=6)
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


def test_a_failed_train_that_has_filled_the_disk_outside_of_its_results(small: Small) -> None:
    """`backup` and what it is restored to do not fit beside that, and somebody has to know."""
    opt = small.second_stop(f"{EMPTIES}{FILLS_THE_REST}sys.exit(3)", 3 * MIB, files=6)
    before = snapshot(opt)

    done = visit(small.root, env=small.env, under=UNPROTECTED)

    assert (done.status, done.code) == (74, "disk-full"), done.stderr
    assert (done.facts["retry"], done.facts["state"]) == ("yes", "unfinished")
    [failed] = [line for line in done.lines if "[train-failed]" in line]
    [full] = [line for line in done.lines if "[disk-full]" in line]
    assert "ended with status 3" in failed
    assert done.lines.index(failed) < done.lines.index(full)
    needs = re.search(r"at least (\d+) bytes are missing", full)
    assert needs
    again = pht("undo", root=small.root)
    assert_explained(again, 74, "disk-full")
    assert needs[0] in again.stderr

    full_file = small.root / "full"
    os.truncate(full_file, full_file.stat().st_size - int(needs[1]) - 4 * PAGE)
    done = pht("undo", root=small.root)

    assert (done.status, done.facts["state"]) == (0, "unchanged"), done.stderr
    assert snapshot(opt) == before


# --- no room to seal -----------------------------------------------------------------------------

LEAVES_4_MIB = f"(results / 'new').write_bytes(bytes({4 * MIB}))"


def missing(done: Done) -> int:
    """Return how many bytes are missing to seal, as a refusal says that left the train as it is."""
    assert_explained(done, 74, "disk-full")
    facts = {name: done.facts[name] for name in ("stage", "by", "retry", "state")}
    assert facts == {"stage": "seal", "by": "station", "retry": "yes", "state": "unfinished"}
    found = re.search(r"sealing .* needs (\d+) bytes and (\d+) are free: (\d+) are", done.stderr)
    assert found
    needed, free, said = map(int, found.groups())
    assert needed - free == said > 0
    return said


@pytest.fixture(params=["flat", "route"])
def crowded(request: pytest.FixtureRequest, small: Small) -> Small:
    """A train that has succeeded where its results cannot be sealed, `filler` in their way."""
    small.second_stop(LEAVES_4_MIB, 10, has_route=request.param == "route")
    small.fill(left=6 * MIB)
    return small


def test_results_wait_for_room_and_are_sealed_without_a_second_run(crowded: Small) -> None:
    missing(visit(crowded.root, env=crowded.env))
    assert journal(crowded.root)["phase"] == "succeeded"
    before = snapshot(crowded.root)
    needs = missing(visit(crowded.root, env=crowded.env))
    assert missing(pht("post-run", root=crowded.root)) == needs
    for command in ("pre-run", "check"):
        assert_explained(pht(command, root=crowded.root), 76, "wrong-half")
    assert snapshot(crowded.root) == before

    os.truncate(crowded.root / "filler", (crowded.root / "filler").stat().st_size - needs - PAGE)
    again = visit(crowded.root, env=crowded.env)

    assert (again.status, again.facts["state"]) == (0, "sealed"), again.stderr
    assert opened(crowded.root / "opt")["new"] == bytes(4 * MIB)
    assert crowded.runs == 1


def test_results_that_wait_for_room_are_sealed_by_post_run_too(crowded: Small) -> None:
    missing(visit(crowded.root, env=crowded.env))
    (crowded.root / "filler").unlink()

    assert pht("post-run", root=crowded.root).facts["state"] == "sealed"
    assert crowded.runs == 1


def test_results_that_wait_for_room_can_be_given_up(crowded: Small) -> None:
    before = snapshot(crowded.root)
    missing(visit(crowded.root, env=crowded.env))

    done = pht("undo", root=crowded.root)

    assert (done.status, done.facts["state"]) == (0, "unchanged"), done.stderr
    assert snapshot(crowded.root) == before


def test_a_train_that_succeeds_when_it_has_filled_the_disk(small: Small) -> None:
    """Not even how it has ended could be written, had there been no room for that before."""
    opt = small.second_stop(FILLS_THE_REST, MIB)

    missing(visit(small.root, env=small.env, under=UNPROTECTED))
    assert journal(small.root)["phase"] == "succeeded"
    (small.root / "full").unlink()
    done = visit(small.root, env=small.env)

    assert (done.status, small.runs) == (0, 1), done.stderr
    assert len(opened(opt)["0"]) == MIB


@pytest.mark.parametrize(
    "script",
    [
        f"os.truncate(os.open(results / 'new', os.O_CREAT | os.O_WRONLY), {2**40})",
        f"(results / 'new').write_bytes(bytes({9 * MIB}))",
    ],
    ids=["with a hole of 1 TiB", "as large as half of the disk"],
)
def test_results_that_can_never_be_sealed_go_back_at_once(script: str, small: Small) -> None:
    small.second_stop(script, 10)
    before = snapshot(small.root)

    done = visit(small.root, env=small.env)

    assert_explained(done, 65, "results-too-large")
    assert (done.facts["by"], done.facts["retry"]) == ("author", "no")
    assert done.facts["state"] == "unchanged"
    assert snapshot(small.root) == before


def test_plaintext_that_post_run_cannot_seal_waits_on(small: Small) -> None:
    opt = small.second_stop("", 10)
    before = snapshot(small.root)
    assert pht("pre-run", root=small.root).status == 0
    (opt / "pht_results" / "new").write_bytes(bytes(4 * MIB))
    filler = small.fill(left=MIB)

    done = pht("post-run", root=small.root)
    assert_explained(done, 74, "disk-full")
    assert (done.facts["state"], journal(small.root)["phase"]) == ("waiting", "waiting")
    filler.unlink()
    os.truncate(opt / "pht_results" / "new", 2**40)
    done = pht("post-run", root=small.root)
    assert_explained(done, 65, "results-too-large")
    assert (done.facts["state"], journal(small.root)["phase"]) == ("waiting", "waiting")

    assert pht("undo", root=small.root).status == 0
    assert snapshot(small.root) == before


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

"""One name for the exports of several trains, as a station's settings give it to all of them."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.station import (
    Done,
    assert_explained,
    finish,
    snapshot,
    visit,
    with_children,
)
from tests.visit.exports import assert_exported, board, start_export

LARGE = 100_000_000


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder for the exports of the trains `large` and `small`, under one name."""
    (tmp_path / "out").mkdir()
    for name, size in (("large", LARGE), ("small", 1)):
        board(tmp_path / name, tmp_path / "out" / "train.tar", size=size)
    return tmp_path / "out"


@contextmanager
def paused(out: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Visit the large train and stop its process in the middle of the export."""
    process = start_export(out.parent / "large", out / "train.tar")
    for pid in with_children(process.pid):
        os.kill(pid, signal.SIGSTOP)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def go_on(process: "subprocess.Popen[bytes]") -> Done:
    for pid in with_children(process.pid):
        os.kill(pid, signal.SIGCONT)
    return finish(process)


def test_an_export_that_is_being_written_is_left_alone(out: Path) -> None:
    small, part = out.parent / "small", out / "train.tar.part"
    with paused(out) as large:
        before, inode = snapshot(small), part.stat().st_ino

        done = visit(small)

        assert_explained(done, 74, "output-busy")
        assert (done.facts["retry"], done.facts["state"]) == ("yes", "unchanged")
        assert snapshot(small) == before
        assert part.stat().st_ino == inode
        assert go_on(large).status == 0

    assert_exported(out / "train.tar", "large", LARGE)
    assert_explained(visit(small), 74, "output-exists")


def test_what_has_appeared_under_the_name_is_not_overwritten(out: Path) -> None:
    with paused(out) as large:
        (out / "train.tar").write_bytes(b"mine")

        done = go_on(large)

    assert_explained(done, 74, "output-exists")
    assert (done.facts["stage"], done.facts["state"]) == ("export", "sealed")
    assert [(path.name, path.read_bytes()) for path in out.iterdir()] == [("train.tar", b"mine")]


def test_a_file_that_has_taken_the_place_of_the_unfinished_one_is_not_taken_for_it(
    out: Path,
) -> None:
    """Older runners remove any file with its name."""
    with paused(out) as large:
        (out / "train.tar.part").unlink()
        (out / "train.tar.part").write_bytes(b"another's")

        done = go_on(large)

    assert_explained(done, 74, "output-busy")
    left = [(path.name, path.read_bytes()) for path in out.iterdir()]
    assert left == [("train.tar.part", b"another's")]


def test_a_left_over_that_is_a_hard_link_is_removed_without_a_change_to_the_file(
    out: Path,
) -> None:
    precious = out.parent / "precious"
    precious.write_bytes(b"precious")
    (out / "train.tar.part").hardlink_to(precious)

    assert visit(out.parent / "small").status == 0

    assert precious.read_bytes() == b"precious"
    assert [path.name for path in out.iterdir()] == ["train.tar"]


def test_the_export_of_another_train_is_not_taken_for_ones_own(out: Path) -> None:
    small = out.parent / "small"
    assert visit(small).status == 0
    own = visit(small)
    assert_explained(own, 79, "already-visited")
    assert "warning" not in own.stderr

    (out / "train.tar").rename(out / "small.tar")
    assert visit(out.parent / "large").status == 0
    before = snapshot(out)
    done = visit(small)

    assert_explained(done, 79, "already-visited")
    assert f"pht: warning: this train is not exported: {out}/train.tar exists" in done.stderr
    assert snapshot(out) == before


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("nowhere")],
    ids=["a FIFO", "a folder", "a link"],
)
def test_something_else_under_the_name_is_no_export(
    make: Callable[[Path], object], out: Path
) -> None:
    small = out.parent / "small"
    assert visit(small).status == 0
    (out / "train.tar").unlink()
    make(out / "train.tar")

    done = visit(small)

    assert_explained(done, 79, "already-visited")
    assert "pht: warning: this train is not exported" in done.stderr

"""The place of an export is checked before the visit, and earlier exports do not block it."""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoint.errors import StorageError
from entrypoint.model import Paths
from entrypoint.station.export_place import check_place
from tests.other_user import unprivileged
from tests.station import (
    assert_explained,
    pht,
    snapshot,
    visit,
)
from tests.visit.conftest import Mount
from tests.visit.exports import assert_exported, board, set_size, start_export


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder for the export of a train in the folder `root` beside it."""
    (tmp_path / "out").mkdir()
    board(tmp_path / "root", tmp_path / "out" / "train.tar", size=1)
    return tmp_path / "out"


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_the_rest_of_an_interrupted_export_is_replaced_by_another_container(
    size: int, out: Path
) -> None:
    """Such as a new container of a restarted pod, which begins from the image."""
    (out / "train.tar.part").write_bytes(bytes(size))
    assert visit(out.parent / "root").status == 0
    assert_exported(out / "train.tar", "root", 1)


def test_an_export_that_was_killed_is_made_by_the_next_start(out: Path) -> None:
    root, output, size = out.parent / "root", out / "train.tar", 200_000_000
    set_size(root, output, size)
    killed = start_export(root, output)
    killed.kill()
    killed.communicate()
    assert [path.name for path in out.iterdir()] == ["train.tar.part"]

    assert_explained(visit(root), 79, "already-visited")

    assert_exported(output, "root", size)


@pytest.mark.parametrize(
    "make",
    [Path.mkdir, os.mkfifo, lambda part: part.symlink_to("elsewhere")],
    ids=["a folder", "a FIFO", "a link"],
)
def test_what_the_runner_never_leaves_is_not_replaced(
    make: Callable[[Path], object], out: Path
) -> None:
    make(out / "train.tar.part")
    before = snapshot(out.parent)
    assert_explained(visit(out.parent / "root"), 74, "output-exists")
    assert snapshot(out.parent) == before


def test_what_another_users_export_has_left_is_named() -> None:
    """It cannot be locked, so that nobody knows whether that export still runs."""
    with TemporaryDirectory() as place:  # where another user may go too
        part = Path(place) / "train.tar.part"
        part.touch(mode=0o444)
        with unprivileged(Path(place)), pytest.raises(StorageError, match="part exists") as refused:
            check_place(Paths(Path(place)), Path(place) / "train.tar", in_container=False)
        assert refused.value.code == "output-exists"
        assert part.exists()


def test_a_share_that_takes_names_but_no_contents_is_found_before_the_visit(
    out: Path, mount: Mount
) -> None:
    mount(out, "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    (out / "full").write_bytes(bytes(64 * 1024))
    before = snapshot(out.parent)

    done = visit(out.parent / "root")

    assert_explained(done, 74, "output-folder-unwritable")
    assert "no space left on device" in done.stderr
    assert done.facts["state"] == "unchanged"
    assert snapshot(out.parent) == before


def test_nothing_is_left_of_the_trial(out: Path) -> None:
    set_size(out.parent / "root", out / "train.tar", "x")
    assert visit(out.parent / "root").status == 1
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("half", ["pre-run", "post-run"])
def test_the_halves_try_the_place_before_they_change_anything(half: str, out: Path) -> None:
    """After post-run has sealed, no further start of it would make up the export."""
    root = out.parent / "root"
    if half == "post-run":
        assert pht("pre-run", root=root).status == 0
    out.rmdir()
    before = snapshot(root)

    done = pht(half, root=root)

    assert_explained(done, 66, "output-folder-missing")
    assert snapshot(root) == before
    out.mkdir()
    assert pht(half, root=root).status == 0

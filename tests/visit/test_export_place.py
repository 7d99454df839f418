"""The place of an export is tried before the visit, and no earlier start stands in its way."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoint.errors import StorageError
from entrypoint.model import Paths
from entrypoint.station.export_place import check_place
from tests.other_user import unprivileged
from tests.station import (
    RUNS_TRAIN,
    assert_explained,
    new_train,
    opened,
    pht,
    settle,
    snapshot,
    start,
    unpack,
    visit,
    wait_until,
)
from tests.visit.conftest import Mount

SCRIPT = """
import os, pathlib
(pathlib.Path(os.environ["PHT_RESULTS_DIR"]) / "a").write_bytes(bytes(int(os.environ["SIZE"])))
"""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder of the exports of a station, whose train is about to make its first stop."""
    new_train(tmp_path / "root", SCRIPT)
    settle(tmp_path / "root", "station_1", SIZE="1", PHT_EXPORT=str(tmp_path / "out" / "train.tar"))
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def assert_exported(out: Path, size: int = 1) -> None:
    assert [path.name for path in out.iterdir()] == ["train.tar"]
    assert opened(unpack(out / "train.tar", out.parent / "unpacked")) == {"a": bytes(size)}


def size_of(file: Path) -> int:
    with suppress(FileNotFoundError):
        return file.stat().st_size
    return 0


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_what_a_cut_short_export_has_left_is_replaced_by_another_containers(
    size: int, out: Path
) -> None:
    """As a pod's, which is started anew from the image."""
    (out / "train.tar.part").write_bytes(bytes(size))
    assert visit(out.parent / "root").status == 0
    assert_exported(out)


def test_an_export_that_was_killed_is_made_by_the_next_start(out: Path) -> None:
    root, part = out.parent / "root", out / "train.tar.part"
    size = 200_000_000
    settle(root, "station_1", SIZE=str(size), PHT_EXPORT=str(out / "train.tar"))
    killed = start("run", "--", *RUNS_TRAIN, root=root)
    wait_until(lambda: size_of(part) > 1_000_000)
    killed.kill()
    killed.communicate()
    assert [path.name for path in out.iterdir()] == ["train.tar.part"]

    assert_explained(visit(root), 79, "already-visited")

    assert_exported(out, size)


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
    settle(out.parent / "root", "station_1", SIZE="x", PHT_EXPORT=str(out / "train.tar"))
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

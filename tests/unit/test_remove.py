"""Removing: everything that a train can leave, and nothing else."""

import os
from pathlib import Path

import pytest

from entrypoint.linux.remove import empty, remove, remove_from

DEEPER_THAN_ANY_PATH = 3000


def nest(folder: Path, depth: int) -> None:
    """Make nested folders, deeper than one path could name."""
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("in", dir_fd=handle)
        inner = os.open("in", os.O_RDONLY, dir_fd=handle)
        os.close(os.open("file", os.O_CREAT, dir_fd=handle))
        os.close(handle)
        handle = inner
    os.close(handle)


def test_nothing_is_no_error(tmp_path: Path) -> None:
    remove(tmp_path / "absent")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["file", "link", "dangling", "folder", "pipe"])
def test_whatever_it_is_it_goes(name: str, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "file").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "dangling").symlink_to("absent")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to("../target")
    os.mkfifo(tmp_path / "pipe")
    before = set(os.listdir(tmp_path))
    remove(tmp_path / name)
    assert set(os.listdir(tmp_path)) == before - {name}
    assert os.listdir(tmp_path / "target") == ["file"]


def test_folders_deeper_than_any_path_go(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    nest(tmp_path / "results", DEEPER_THAN_ANY_PATH)
    remove(tmp_path / "results")
    assert os.listdir(tmp_path) == []


def test_many_folders_with_many_names_go(tmp_path: Path) -> None:
    for number in range(200):
        folder = tmp_path / "results" / f"{number % 7}" / os.fsdecode(b"\xff%d" % number)
        folder.mkdir(parents=True)
        for name in range(10):
            (folder / f"{name}").touch()
    remove(tmp_path / "results")
    assert os.listdir(tmp_path) == []


def test_folders_that_nobody_may_enter_go(tmp_path: Path) -> None:
    (tmp_path / "results" / "locked" / "inner").mkdir(parents=True)
    (tmp_path / "results" / "locked").chmod(0)
    (tmp_path / "results").chmod(0o500)
    remove(tmp_path / "results")
    assert os.listdir(tmp_path) == []


def test_names_are_left_out_at_the_top_and_not_below(tmp_path: Path) -> None:
    for folder in (".pht/plain", "folder/.pht", "kept"):
        (tmp_path / folder).mkdir(parents=True)
    empty(tmp_path, leave_out=(".pht", "kept"))
    assert sorted(os.listdir(tmp_path)) == [".pht", "kept"]
    assert os.listdir(tmp_path / ".pht") == ["plain"]


def test_folders_go_with_the_last_of_what_they_hold(tmp_path: Path) -> None:
    for path in ("emptied/a", "emptied/in/b", "used/a", "used/in/b", "used/c"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "never filled").mkdir()
    remove_from(tmp_path, ["emptied/a", "emptied/in/b", "used/a", "used/in/b"])
    assert sorted(os.listdir(tmp_path)) == ["never filled", "used"]
    assert os.listdir(tmp_path / "used") == ["c"]

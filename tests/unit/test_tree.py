"""Walking a folder: archive order, and the kinds of entries."""

import os
import sys
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.files.tree import Kind, walk
from entrypoint.limits import FOLDER_PATH_BYTES

NAMES = st.text(alphabet="ab-.é", min_size=1, max_size=3).filter(lambda name: name.strip("."))
TREES = st.sets(st.lists(NAMES, min_size=1, max_size=3).map(tuple), max_size=12)


def paths_below(root: Path) -> list[str]:
    return [entry.path for entry in walk(root)]


def make_files(root: Path, *files: str) -> None:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.encode())


def test_a_directory_is_descended_into_at_its_place(tmp_path: Path) -> None:
    make_files(tmp_path, "a.txt", "a-b", "a/z", "a/b/c", "B")
    assert paths_below(tmp_path) == ["B", "a", "a/b", "a/b/c", "a/z", "a-b", "a.txt"]


def test_an_entry_of_a_folder_takes_less_than_a_hundred_bytes(tmp_path: Path) -> None:
    count = 5000
    for number in range(count):
        (tmp_path / f"result-{number:06}").touch()
    tracemalloc.start()
    assert sum(1 for _ in walk(tmp_path)) == count
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * count


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name must be valid Unicode")
def test_names_are_sorted_by_their_bytes_not_their_characters(tmp_path: Path) -> None:
    undecodable = os.fsdecode(b"\xff")
    make_files(tmp_path, "z", "é", "🚂")
    (tmp_path / undecodable).touch()
    assert paths_below(tmp_path) == ["z", "é", "🚂", undecodable]
    assert sorted(paths_below(tmp_path)) != paths_below(tmp_path)


@given(TREES)
def test_order_is_that_of_the_names_on_the_way_down(tree: set[tuple[str, ...]]) -> None:
    # A path below another one makes that a folder.
    folders = {path[:depth] for path in tree for depth in range(1, len(path))}
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder), *("/".join(path) for path in tree - folders))
        walked = [tuple(path.split("/")) for path in paths_below(Path(folder))]
    assert walked == sorted(
        tree | folders, key=lambda path: tuple(os.fsencode(name) for name in path)
    )


def test_kinds_are_told_apart(tmp_path: Path) -> None:
    make_files(tmp_path, "file")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert {entry.path: entry.kind for entry in walk(tmp_path)} == {
        "empty": Kind.FILE,
        "file": Kind.FILE,
        "folder": Kind.DIRECTORY,
        "pipe": Kind.SPECIAL,
    }


def test_symlinks_are_named_and_never_followed(tmp_path: Path) -> None:
    make_files(tmp_path, "folder/file")
    (tmp_path / "away").symlink_to("/etc")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to(".")
    found = {entry.path: entry.link for entry in walk(tmp_path) if entry.kind is Kind.SYMLINK}
    assert found == {"away": "/etc", "dangling": "nowhere", "loop": "."}
    assert len(paths_below(tmp_path)) == 5


def test_of_hard_links_the_first_in_order_is_the_file(tmp_path: Path) -> None:
    make_files(tmp_path, "m/original")
    (tmp_path / "a").hardlink_to(tmp_path / "m/original")
    (tmp_path / "z").hardlink_to(tmp_path / "m/original")
    files = [(entry.path, entry.kind, entry.link) for entry in walk(tmp_path) if entry.path != "m"]
    assert files == [
        ("a", Kind.FILE, ""),
        ("m/original", Kind.HARD_LINK, "a"),
        ("z", Kind.HARD_LINK, "a"),
    ]


def test_a_name_is_left_out_at_the_top_only(tmp_path: Path) -> None:
    make_files(tmp_path, "work/inner", "results/work", "workers")
    left = [entry.path for entry in walk(tmp_path, leave_out="work")]
    assert left == ["results", "results/work", "workers"]


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    assert paths_below(tmp_path) == []


def test_a_place_without_a_folder_has_nothing_if_that_is_allowed(tmp_path: Path) -> None:
    make_files(tmp_path, "folder/file")
    (tmp_path / "link").symlink_to("folder")
    places = [tmp_path / name for name in ("folder", "missing", "folder/file", "link")]
    assert [len(list(walk(place, missing_ok=True))) for place in places] == [1, 0, 0, 0]
    with pytest.raises(FileNotFoundError):
        paths_below(tmp_path / "missing")


def test_a_folder_nested_too_deep_is_not_descended_into(tmp_path: Path) -> None:
    names = ["folder" * 20] * (FOLDER_PATH_BYTES // 120 + 1)
    (tmp_path / "/".join(names)).mkdir(parents=True)
    (tmp_path / "/".join(names) / "file").touch()
    *folders, deepest = walk(tmp_path)
    assert {entry.kind for entry in folders} == {Kind.DIRECTORY}
    assert (deepest.path, deepest.kind) == ("/".join(names), Kind.SPECIAL)

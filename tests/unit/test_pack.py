"""Packs of small files: applied if complete, ignored if not."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.errors import IntegrityError
from entrypoint.files.pack import PackWriter, apply


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"before, and longer than what comes")


def write_pack(pack: Path, contents: dict[str, bytes]) -> None:
    with PackWriter(pack) as writer:
        for name, content in contents.items():
            writer.add(name, content)


both_ways = pytest.mark.parametrize("empty_first", [True, False])


@both_ways
def test_files_get_new_contents_in_place_and_keep_their_mode(
    empty_first: bool, tmp_path: Path
) -> None:
    contents = {"a": b"", "d/ü": b"x" * 100_000, "\udcff": b"undecodable"}
    fill(tmp_path / "to", *contents, "other")
    (tmp_path / "to" / "a").chmod(0o640)
    inode = (tmp_path / "to" / "a").stat().st_ino
    write_pack(tmp_path / "pack", contents)

    apply(tmp_path / "pack", tmp_path / "to", empty_first=empty_first)

    for name, content in contents.items():
        assert (tmp_path / "to" / name).read_bytes() == content
    assert (tmp_path / "to" / "other").read_bytes().startswith(b"before")
    assert (tmp_path / "to" / "a").stat().st_ino == inode
    assert (tmp_path / "to" / "a").stat().st_mode & 0o777 == 0o640


@given(
    empty_first=st.booleans(),
    cut=st.integers(min_value=1),
    sizes=st.lists(st.integers(0, 50), min_size=1, max_size=4),
)
def test_a_pack_that_is_cut_anywhere_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, empty_first: bool, cut: int, sizes: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("pack")
    contents = {f"f{number}": os.urandom(size) for number, size in enumerate(sizes)}
    fill(folder / "to", *contents)
    write_pack(folder / "pack", contents)
    whole = (folder / "pack").read_bytes()
    (folder / "pack").write_bytes(whole[: -(1 + cut % len(whole))])

    apply(folder / "pack", folder / "to", empty_first=empty_first)

    for name in contents:
        assert (folder / "to" / name).read_bytes().startswith(b"before")


@both_ways
def test_a_pack_whose_writing_was_interrupted_changes_nothing(
    empty_first: bool, tmp_path: Path
) -> None:
    fill(tmp_path / "to", "a")
    with pytest.raises(KeyboardInterrupt):
        _write_and_fail(tmp_path / "pack")
    apply(tmp_path / "pack", tmp_path / "to", empty_first=empty_first)
    assert (tmp_path / "to" / "a").read_bytes().startswith(b"before")


def _write_and_fail(pack: Path) -> None:
    with PackWriter(pack) as writer:
        writer.add("a", b"new")
        raise KeyboardInterrupt


@pytest.mark.parametrize("path", ["../outside", "a/../../outside", "{folder}/outside"])
@both_ways
def test_nothing_is_written_outside(path: str, empty_first: bool, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"safe")
    (tmp_path / "to" / "a").mkdir(parents=True)
    write_pack(tmp_path / "pack", {path.format(folder=tmp_path): b"planted"})
    with pytest.raises(IntegrityError, match="not written by this runner") as refused:
        apply(tmp_path / "pack", tmp_path / "to", empty_first=empty_first)
    assert refused.value.code == "pack-forged"
    assert (tmp_path / "outside").read_bytes() == b"safe"


@both_ways
def test_nothing_is_written_through_a_link(empty_first: bool, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"safe")
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "a").symlink_to(tmp_path / "outside")
    write_pack(tmp_path / "pack", {"a": b"planted"})
    with pytest.raises(OSError, match="symbolic links"):
        apply(tmp_path / "pack", tmp_path / "to", empty_first=empty_first)
    assert (tmp_path / "outside").read_bytes() == b"safe"

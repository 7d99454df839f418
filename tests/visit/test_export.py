"""The export: one tar that users open, the same bytes for the same train."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from tests import reference
from tests.other_user import needs_root
from tests.reference import STAGES
from tests.station import (
    assert_explained,
    export,
    new_train,
    opened,
    settle,
    snapshot,
    unpack,
    visit,
)

IMPORTS = "import os, pathlib\nresults = pathlib.Path(os.environ['PHT_RESULTS_DIR'])\n"


def members(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        return tar.getmembers()


@pytest.mark.parametrize("stage", range(len(STAGES)), ids=STAGES)
def test_the_paths_of_a_train_in_archive_order(stage: int, tmp_path: Path) -> None:
    opt = reference.lay_out(stage, tmp_path)

    done = export(tmp_path)

    assert done.status == 0, done.stderr
    expected = ["train_config.json"]
    for name in ("pht_results", "pht_train"):
        expected += [name, *(f"{name}/{path}" for path in reference.archive_order(opt / name))]
    assert [info.name for info in members(done.stdout)] == [
        *expected,
        *(["user_sym_key.key"] if stage else []),
    ]


def test_nothing_tells_when_it_was_packed_or_by_whom(tmp_path: Path) -> None:
    reference.lay_out(2, tmp_path)
    for info in members(export(tmp_path).stdout):
        assert (info.uname, info.gname, info.mtime) == ("", "", 0)


@needs_root
def test_owners_are_kept_as_numbers(tmp_path: Path) -> None:
    """A station that runs containers as another user than root gets its train back."""
    opt = reference.lay_out(2, tmp_path)
    for path in opt.rglob("*"):
        os.lchown(path, 1234, 3_000_000)
    owners = {(info.uid, info.gid) for info in members(export(tmp_path).stdout)}
    assert owners == {(1234, 3_000_000)}


def test_the_same_train_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        opt = reference.lay_out(2, tmp_path / name)
        if name == "other":
            for path in opt.rglob("*"):
                os.utime(path, (5, 5), follow_symlinks=False)

    first, second = export(tmp_path / "one"), export(tmp_path / "other")

    assert first.stdout == second.stdout
    assert len(first.stdout) > 10_000


def test_everything_comes_out_as_it_is(tmp_path: Path) -> None:
    script = """
(results / "d").mkdir()
(results / "d" / os.fsdecode(b"\\xff")).write_bytes(b"x")
(results / "d" / ("long" * 60)).write_bytes(b"y")
(results / "empty").mkdir(mode=0o711)
(results / "link").symlink_to("d")
(results / "run").touch(mode=0o750)
"""
    opt = new_train(tmp_path / "root", IMPORTS + script)
    settle(tmp_path / "root", "station_1")
    assert visit(tmp_path / "root").status == 0

    done = export(tmp_path / "root", tmp_path / "train.tar")

    assert (done.status, done.stdout) == (0, b"")
    out = unpack(tmp_path / "train.tar", tmp_path / "out")
    assert opened(out) == opened(opt)
    for name in ("pht_results", "pht_train"):
        packed, original = snapshot(out / name), snapshot(opt / name)
        assert packed.keys() == original.keys()
        for path, node in packed.items():
            assert (node.kind, node.content) == (original[path].kind, original[path].content)
    modes = {info.name: info.mode for info in members((tmp_path / "train.tar").read_bytes())}
    assert (modes["pht_results/empty"], modes["pht_results/run"]) == (0o711, 0o750)


def test_hard_links_stay_links(tmp_path: Path) -> None:
    opt = reference.lay_out(1, tmp_path / "root")
    (opt / "pht_results" / "z").hardlink_to(opt / "pht_results" / "a.txt")

    assert export(tmp_path / "root", tmp_path / "train.tar").status == 0

    links = [info for info in members((tmp_path / "train.tar").read_bytes()) if info.islnk()]
    assert [(info.name, info.linkname) for info in links] == [
        ("pht_results/z", "pht_results/a.txt")
    ]
    out = unpack(tmp_path / "train.tar", tmp_path / "out")
    assert (out / "pht_results" / "z").read_bytes() == (opt / "pht_results" / "z").read_bytes()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    reference.lay_out(1, tmp_path / "root")
    (tmp_path / "there").write_bytes(b"mine")

    assert_explained(export(tmp_path / "root", tmp_path / "there"), 74, "output-exists")
    assert (tmp_path / "there").read_bytes() == b"mine"


def test_no_folder_for_it(tmp_path: Path) -> None:
    reference.lay_out(1, tmp_path / "root")

    done = export(tmp_path / "root", tmp_path / "nowhere" / "x.tar")

    assert_explained(done, 66, "output-folder-missing")


def test_no_train(tmp_path: Path) -> None:
    assert_explained(export(tmp_path, tmp_path / "x.tar"), 66, "no-train")
    assert list(tmp_path.iterdir()) == []


def test_a_special_file_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    opt = reference.lay_out(1, tmp_path / "root")
    os.mkfifo(opt / "pht_results" / "pipe")

    done = export(tmp_path / "root", tmp_path / "x.tar")

    assert_explained(done, 65, "special-file")
    assert "pht_results/pipe" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root"]


def test_a_malformed_train_is_not_handed_on(tmp_path: Path) -> None:
    opt = reference.lay_out(1, tmp_path / "root")
    (opt / "train_config.json").write_text("{}")

    done = export(tmp_path / "root", tmp_path / "x.tar")

    assert_explained(done, 65, "config-malformed")
    assert not (tmp_path / "x.tar").exists()

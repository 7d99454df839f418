"""Files that a desktop leaves in the folder of a train are passed over, and that is said."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.errors import IntegrityError
from tests import reference, reference_route
from tests.station import new_train, snapshot
from tests.unit.opening import as_copied_opt, as_image, assert_not_opened, flip, open_train

LEFT = {
    "pht_results/.DS_Store": b"\0\0\0\1Bud1".ljust(6148, b"\0"),
    "pht_results/._counter": b"\0\5\26\7\0\2\0\0Mac OS X".ljust(4096, b"\0"),
    "pht_results/deep/Thumbs.db": b"\xd0\xcf\x11\xe0",
    "pht_results/desktop.ini": "[.ShellClassInfo]".encode("utf-16"),
    "pht_results/.~lock.table.csv#": b",user,host,;",
    "pht_train/.DS_Store": b"\0\0\0\1Bud1",
    "pht_train/a/._b.txt": b"\0\5\26\7",
}


def leave(opt: Path) -> None:
    """Put everything of LEFT into the folder of a train, and something beside its parts."""
    for name, data in LEFT.items():
        (opt / name).write_bytes(data)
    (opt / ".DS_Store").touch()


@pytest.mark.parametrize("source", [lambda opt, _: opt, as_copied_opt, as_image])
@pytest.mark.parametrize("lay_out", [reference.lay_out, reference_route.lay_out])
def test_they_are_passed_over(
    lay_out: Callable[[int, Path], Path],
    source: Callable[[Path, Path], Path],
    output: Path,
    tmp_path: Path,
) -> None:
    opt = lay_out(2, tmp_path / "root")
    open_train(opt, tmp_path / "expected")
    leave(opt)
    touched = snapshot(opt)

    said = open_train(source(opt, tmp_path), output)

    assert snapshot(output) == snapshot(tmp_path / "expected")
    for name in LEFT:
        assert f"warning: passed over {name}, which a desktop has left\n" in said
    assert (said.count("passed over"), said.count("verified: ")) == (len(LEFT), 2)
    assert snapshot(opt) == touched


def test_only_the_first_ones_are_listed(opt: Path, output: Path) -> None:
    for number in range(25):
        (opt / "pht_results" / f"._{number}").touch()
    said = open_train(opt, output)
    assert said.count("which a desktop has left") == 20
    assert "warning: passed over 5 more such files\n" in said


def test_a_result_of_such_a_name_stays_a_result(tmp_path: Path, output: Path) -> None:
    opt = new_train(tmp_path / "root", "", {".DS_Store": b"signed"})
    results = opt / "pht_results"
    (results / ".DS_Store").write_bytes(b"a result")
    os.link(results / ".DS_Store", results / "same")
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    assert "passed over" not in open_train(opt, output)
    assert (output / ".DS_Store").read_bytes() == b"a result"


def test_results_with_several_names_keep_them(tmp_path: Path, output: Path) -> None:
    opt = new_train(tmp_path / "root", "", {".DS_Store": b"signed"})
    (opt / "pht_results" / "table").write_bytes(b"a result")
    os.link(opt / "pht_results" / "table", opt / "pht_results" / "twin")
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    (opt / "pht_results" / ".DS_Store").write_bytes(b"left")
    said = open_train(opt, output)
    assert re.findall("passed over (.*), which", said) == ["pht_results/.DS_Store"]
    assert (output / "table").samefile(output / "twin")


def test_another_change_is_still_refused(opt: Path, output: Path) -> None:
    leave(opt)
    flip(opt / "pht_results" / "counter")
    error = assert_not_opened(IntegrityError, "results-unverified", opt, output)
    assert error.problems == ("pht_results/counter does not decrypt",)


@pytest.mark.parametrize("name", ["._", ".DS_Store.csv", "my.DS_Store", "lock#", "thumbs.dbx"])
def test_other_names_are_refused(name: str, opt: Path, output: Path) -> None:
    (opt / "pht_results" / name).write_bytes(b"x")
    error = assert_not_opened(IntegrityError, "results-unverified", opt, output)
    assert error.problems == (f"pht_results/{name} does not decrypt",)

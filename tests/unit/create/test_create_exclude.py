"""Files that the author excludes do not travel; a pattern matches as `PurePath.match` says."""

from pathlib import Path

import pytest

from entrypoint.errors import MalformedTrain
from tests import reference
from tests.desk import plant
from tests.station import pht
from tests.unit.creating import IN_ORDER, USER_KEY, assert_not_built, build_train, command
from tests.unit.simulating import send

LISTS = """
import os, pathlib
seen = sorted(os.listdir(os.environ["PHT_TRAIN_DIR"]))
pathlib.Path(os.environ["PHT_RESULTS_DIR"], "seen").write_text(str(seen))
"""


@pytest.mark.parametrize(
    ("pattern", "named", "left"),
    [
        ("a-b", ["a-b"], ["B/ü.txt", "a/z", "query.json", "run.py"]),
        ("a", ["a"], ["B/ü.txt", "a-b", "query.json", "run.py"]),
        ("a/", ["a"], ["B/ü.txt", "a-b", "query.json", "run.py"]),
        ("*.txt", ["B/ü.txt"], ["a/z", "a-b", "query.json", "run.py"]),
        ("?/*", ["B/ü.txt", "a/z"], ["a-b", "query.json", "run.py"]),
        ("[a-b]", ["a"], ["B/ü.txt", "a-b", "query.json", "run.py"]),
        ("query.json", ["query.json"], ["B/ü.txt", "a/z", "a-b", "run.py"]),
    ],
)
def test_what_matches_does_not_travel_and_that_is_said(
    pattern: str, named: list[str], left: list[str], train: Path, output: Path
) -> None:
    said = build_train(train, output, exclude=[pattern])
    assert reference.load_config(output / "opt")["immutable_file_list"] == left
    for path in named:
        assert f"left out of the train: {path}\n" in said
    assert "warning" not in said


def test_several_patterns_add_up(train: Path, output: Path) -> None:
    build_train(train, output, exclude=["*.txt", "a"])
    listed = reference.load_config(output / "opt")["immutable_file_list"]
    assert listed == ["a-b", "query.json", "run.py"]


@pytest.mark.parametrize("pattern", ["RUN.PY", "/run.py", "z/*", "*.pyx"])
def test_a_pattern_that_matches_nothing_is_warned_of(
    pattern: str, train: Path, output: Path
) -> None:
    said = build_train(train, output, exclude=[pattern])
    assert f"warning: --exclude {pattern} matches no file and no folder of the train\n" in said
    assert reference.load_config(output / "opt")["immutable_file_list"] == IN_ORDER


def test_a_train_of_which_nothing_is_left_is_refused(train: Path, output: Path) -> None:
    error = assert_not_built(
        MalformedTrain, "train-folder-unsuitable", train, output, exclude=["*"]
    )
    assert error.problems == ("it holds no file",)


def test_links_and_special_files_can_be_excluded(train: Path, output: Path) -> None:
    (train / "link").symlink_to("run.py")
    build_train(train, output, exclude=["link"])
    assert reference.load_config(output / "opt")["immutable_file_list"] == IN_ORDER


def test_the_command_line_passes_them_on(train: Path, output: Path) -> None:
    words = command(train, output, USER_KEY)
    assert pht(*words, "--exclude", "*.txt", "--exclude", "a").status == 0
    listed = reference.load_config(output / "opt")["immutable_file_list"]
    assert listed == ["a-b", "query.json", "run.py"]


@pytest.mark.parametrize("pattern", ["", ".", "./"])
def test_an_empty_pattern_is_refused(pattern: str, train: Path, output: Path) -> None:
    done = pht(*command(train, output, USER_KEY), "--exclude", pattern)
    assert (done.status, done.code) == (64, "usage")


def test_a_simulation_leaves_them_out_too(tmp_path: Path) -> None:
    files = {"train.py": LISTS, "secret": "", "a/b": ""}
    train = plant(tmp_path / "train", files)
    data = plant(tmp_path / "data", {"s-1/rows.csv": "one"})
    status, said = send(train, data, exclude=["secret"], output=tmp_path / "results")
    assert status == 0, said
    assert (tmp_path / "results" / "seen").read_text() == "['a', 'train.py']"

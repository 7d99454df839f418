"""Changed, missing and planted files are refused, among immutable files and results."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference
from tests.reference import VECTORS
from tests.station import (
    assert_explained,
    assert_refused,
    assert_refused_quickly,
    check,
    edit,
    new_train,
    pht,
    settle,
    snapshot,
    visit,
)
from tests.visit.changed_files import PLANTED, change_byte, swap_files

COMMAND = ("sh", "/opt/pht_train/entrypoint.sh")
DIFFER = (65, "train-files-differ")
RESULTS = (77, "results-unverified")
LINKED = (77, "link-in-place")

TRAIN_FILES = reference.result_files(VECTORS / "train")
"""By path; every one of them is listed and signed."""


# --- immutable files -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRAIN_FILES)
def test_a_changed_immutable_file(name: str, root: Path) -> None:
    path = root / "opt" / "pht_train" / name
    path.write_bytes(path.read_bytes() + b" ")

    assert_refused(root, 77, "definition-changed", COMMAND)


@pytest.mark.parametrize("offset", [0, 100, -1])
def test_one_flipped_bit_of_an_immutable_file(offset: int, root: Path) -> None:
    change_byte(root / "opt" / "pht_train" / "entrypoint.sh", offset)

    assert_refused_quickly(root, 77, "definition-changed")


@pytest.mark.parametrize("name", TRAIN_FILES)
def test_a_missing_immutable_file(name: str, root: Path) -> None:
    (root / "opt" / "pht_train" / name).unlink()

    assert_refused_quickly(root, *DIFFER)


@pytest.mark.parametrize(("change", "named"), PLANTED.values(), ids=PLANTED.keys())
def test_something_beside_the_signed_files(
    change: Callable[[Path], object], named: str, root: Path
) -> None:
    change(root / "opt" / "pht_train")

    said = check(root).lines
    assert [line for line in said if line.startswith("pht:   - ") and named in line]
    assert_refused_quickly(root, *DIFFER)


def test_all_differences_are_named_at_once(root: Path) -> None:
    train = root / "opt" / "pht_train"
    (train / "B.txt").unlink()
    (train / "x.py").touch()
    os.mkfifo(train / "pipe")

    problems = [line for line in check(root).lines if "  - " in line]

    assert problems == [
        "pht:   - pipe is a special file",
        "pht:   - x.py is not in the signed list",
        "pht:   - B.txt is missing",
    ]


def test_no_immutable_files_at_all(root: Path) -> None:
    shutil.rmtree(root / "opt" / "pht_train")

    assert_refused_quickly(root, *DIFFER)


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.remove("query.json"),
        lambda files: files.remove("a-1.txt"),
        lambda files: files.append("A.txt"),
        lambda files: files.__setitem__(files.index("a-1.txt"), "a-2.txt"),
    ],
    ids=["the query left out", "a file left out", "a file that is not there", "another name"],
)
def test_a_changed_file_list(change: Callable[[list[str]], object], root: Path) -> None:
    edit(root / "opt", lambda config: change(config["immutable_file_list"]))

    assert_refused_quickly(root, *DIFFER)


def test_caches_of_honest_builders_are_removed_before_the_run(tmp_path: Path) -> None:
    opt = new_train(
        tmp_path, "import sys; sys.exit(bool(__import__('helper').X))", {"helper.py": b"X = 0"}
    )
    settle(tmp_path, "station_1")
    caches = ["__pycache__/helper.cpython-311.pyc", "a/__pycache__/x.pyc"]
    for path in caches:
        (opt / "pht_train" / path).parent.mkdir(parents=True)
        (opt / "pht_train" / path).write_bytes(b"planted")
    before = snapshot(tmp_path)

    assert check(tmp_path).status == 0
    assert snapshot(tmp_path) == before
    done = visit(tmp_path)

    assert done.status == 0
    assert {path.name for path in (opt / "pht_train").iterdir()} == {"train.py", "helper.py"}
    assert f"pht: removed compiled Python from pht_train: {', '.join(caches)}" in done.lines


# --- results -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("counter", 0),  # the version
        ("counter", 5),  # the timestamp
        ("counter", 20),  # the IV
        ("counter", 45),  # the only block
        ("counter", 90),  # the MAC
        ("counter", -1),  # its last character
        ("empty.bin", 40),
        ("deep/nested/dir/random.bin", 2000),
        ("new/seq.txt", -50),
        ("ü.txt", 33),
    ],
)
def test_one_flipped_bit_of_a_result(name: str, offset: int, root: Path) -> None:
    change_byte(root / "opt" / "pht_results" / name, offset)

    assert_refused_quickly(root, *RESULTS)


def append(path: Path, data: bytes) -> None:
    path.write_bytes(path.read_bytes() + data)


def remove_all(results: Path) -> None:
    shutil.rmtree(results)
    results.mkdir()


def take_earlier(results: Path) -> None:
    shutil.rmtree(results)
    earlier = reference.lay_out(1, results.parent.parent / "earlier")
    shutil.copytree(earlier / "pht_results", results, symlinks=True)


def link_over_another(results: Path) -> None:
    (results / "z2.txt").unlink()
    (results / "z2.txt").hardlink_to(results / "counter")


RESULT_CHANGES: dict[str, Callable[[Path], object]] = {
    "truncated": lambda results: os.truncate(results / "new/seq.txt", 500),
    "emptied": lambda results: os.truncate(results / "counter", 0),
    "a newline at the end": lambda results: append(results / "counter", b"\n"),
    "padding at the end": lambda results: append(results / "counter", b"===="),
    "a second token at the end": lambda results: append(
        results / "counter", (results / "counter").read_bytes()
    ),
    "removed": lambda results: (results / "counter").unlink(),
    "a copy added": lambda results: shutil.copy(results / "counter", results / "zz"),
    "two swapped": lambda results: swap_files(results, "a.txt", "counter"),
    "moved across the order": lambda results: (results / "counter").rename(results / "A"),
    "plaintext in place of a token": lambda results: (results / "counter").write_bytes(b"2"),
    "plaintext added": lambda results: (results / "planted").write_bytes(b"x"),
    "an empty file added": lambda results: (results / "planted").touch(),
    "all removed": remove_all,
    "the folder removed": shutil.rmtree,
    "those of an earlier stop": take_earlier,
    "a hard link over another": link_over_another,
}


@pytest.mark.parametrize("change", RESULT_CHANGES.values(), ids=RESULT_CHANGES.keys())
def test_results_that_the_last_stop_did_not_seal(
    change: Callable[[Path], object], root: Path
) -> None:
    change(root / "opt" / "pht_results")

    assert_refused(root, *RESULTS, COMMAND)


UNSAFE: dict[str, Callable[[Path], object]] = {
    "FIFO": lambda results: os.mkfifo(results / "x"),
    "absolute link": lambda results: (results / "x").symlink_to("/etc/passwd"),
    "link to the config": lambda results: (results / "x").symlink_to("../train_config.json"),
    "climbing link": lambda results: (results / "new" / "x").symlink_to("../../../etc"),
}


@pytest.mark.parametrize("change", UNSAFE.values(), ids=UNSAFE.keys())
def test_results_that_may_not_travel(change: Callable[[Path], object], root: Path) -> None:
    change(root / "opt" / "pht_results")

    assert check(root).lines[-2].split(" holds ")[1].startswith(("x,", "new/x,"))
    assert_refused_quickly(root, 65, "results-unsafe")


def test_links_inside_of_the_results_are_not_signed_and_do_no_harm(root: Path) -> None:
    (root / "opt" / "pht_results" / "x").symlink_to("a/b.txt")

    assert check(root).status == 0


# --- the places themselves -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["train_config.json", "pht_train", "pht_results"])
def test_a_link_in_place_of(name: str, root: Path) -> None:
    path = root / "opt" / name
    path.rename(root / "elsewhere")
    path.symlink_to(root / "elsewhere")

    assert_refused_quickly(root, *LINKED)


def test_a_link_of_the_operators_own_is_not_blamed_on_the_train_alone(root: Path) -> None:
    (root / "opt").rename(root / "elsewhere")
    (root / "opt").symlink_to("elsewhere")

    done = check(root)

    assert_explained(done, *LINKED)
    assert f"{root / 'opt'} is a symbolic link" in done.stderr
    assert "replace a link of your own by the folder that it leads to" in done.stderr


def test_no_config(root: Path) -> None:
    (root / "opt" / "train_config.json").unlink()

    assert_refused_quickly(root, 66, "no-train")


def test_a_folder_in_place_of_the_config(root: Path) -> None:
    (root / "opt" / "train_config.json").unlink()
    (root / "opt" / "train_config.json").mkdir()

    assert_refused_quickly(root, 66, "no-train")


def test_a_fifo_in_place_of_the_config(root: Path) -> None:
    (root / "opt" / "train_config.json").unlink()
    os.mkfifo(root / "opt" / "train_config.json")

    assert_refused_quickly(root, 66, "no-train")


def test_no_opt(tmp_path: Path) -> None:
    settle(tmp_path, "station_1")

    assert_refused_quickly(tmp_path, 66, "no-train")


@pytest.mark.parametrize(
    "name", ["pht_results.pht", "train_config.json.pht", "user_sym_key.key.pht"]
)
def test_links_planted_where_work_files_go_are_removed_and_not_followed(
    name: str, root: Path
) -> None:
    precious = root / "precious"
    precious.mkdir()
    (precious / "plain").mkdir()
    (precious / "plain" / "data").write_bytes(b"data")
    target = precious if name == "pht_results.pht" else precious / "plain" / "data"
    (root / "opt" / name).symlink_to(target)
    before = snapshot(precious)

    assert pht("pre-run", root=root).status == 0
    assert pht("post-run", root=root).status == 0

    assert snapshot(precious) == before
    assert sorted(path.name for path in (root / "opt").iterdir()) == [
        "pht_results",
        "pht_train",
        "train_config.json",
        "user_sym_key.key",
    ]

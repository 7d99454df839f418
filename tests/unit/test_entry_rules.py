"""Which entries of a train's folder may travel."""

import os
from pathlib import Path

import pytest

from entrypoint.errors import MalformedTrain
from entrypoint.files.tree import Entry, walk
from entrypoint.limits import FOLDER_PATH_BYTES
from entrypoint.protocol.entry_rules import check_entry


def link(path: str, target: str, folder: Path) -> Entry:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).symlink_to(target)
    return next(entry for entry in walk(folder) if entry.path == path)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("latest", "run-1"),
        ("latest", "./runs/1"),
        ("runs/latest", "../first"),
        ("a/b/latest", "../../first"),
        ("runs/latest", "/opt/pht_results/runs/1"),
    ],
)
def test_links_within_the_results_may_travel(path: str, target: str, tmp_path: Path) -> None:
    check_entry(link(path, target, tmp_path), "pht_results")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("out", "/etc/passwd"),
        ("out", ".."),
        ("out", "./../pht_train"),
        ("runs/out", "../../train_config.json"),
        ("out", "runs/../../pht_train"),  # `runs` may itself be a link
        ("out", "/opt/pht_results/../pht_train"),
        ("runs/out", "/opt/pht_results/../pht_train"),
        ("out", "/opt/pht_results//etc"),
        ("out", "/opt/pht_results_of_others/x"),
    ],
)
def test_links_out_of_the_results_are_refused(path: str, target: str, tmp_path: Path) -> None:
    with pytest.raises(MalformedTrain, match=f"{path}, a link out of it"):
        check_entry(link(path, target, tmp_path), "pht_results")


def test_special_files_are_refused_by_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    [entry] = walk(tmp_path)
    with pytest.raises(MalformedTrain, match="pipe, a device, FIFO or socket"):
        check_entry(entry, "pht_results")


def test_a_folder_nested_too_deep_is_refused(tmp_path: Path) -> None:
    names = ["folder" * 20] * (FOLDER_PATH_BYTES // 120 + 1)
    (tmp_path / "/".join(names)).mkdir(parents=True)
    *_, deepest = walk(tmp_path)
    with pytest.raises(MalformedTrain, match="a folder nested too deep"):
        check_entry(deepest, "pht_results")


def test_the_folder_is_named_and_its_own_absolute_links_are_inside(tmp_path: Path) -> None:
    check_entry(link("latest", "/opt/pht_train/runs/1", tmp_path), "pht_train")
    with pytest.raises(MalformedTrain, match=r"^pht_train holds out, a link out of it"):
        check_entry(link("out", "/opt/pht_results/runs/1", tmp_path), "pht_train")

"""Mounts that hide what the image has are named; real ones, in a namespace of the test's own."""

import ast
from pathlib import Path

import pytest

from tests.mount_namespace import run_python

REFUSES = """
import subprocess, sys
from pathlib import Path
from entrypoint.errors import PhtError
from entrypoint.hiding import mounts_named
from entrypoint.model import Paths
paths = Paths(Path(sys.argv[1]))
for folder in (paths.train, paths.results):
    folder.mkdir(parents=True)
if {mounted!r}:
    subprocess.run(["mount", "-t", "tmpfs", "none", str(paths.opt / {mounted!r})], check=True)
try:
    with mounts_named(paths):
        raise PhtError({code!r}, "", hint="as before", by="user")
except PhtError as error:
    print([error.by, error.hint])
"""
PLACES = {
    "no-train": ".",
    "train-files-differ": "pht_train",
    "results-before-first-stop": "pht_results",
}


def refuse(code: str, mounted: str, folder: Path) -> list[str]:
    """Return who has to act, and the hint, when a place below `opt` is mounted over."""
    said: list[str] = ast.literal_eval(
        run_python(REFUSES.format(code=code, mounted=mounted), folder)
    )
    return said


@pytest.mark.parametrize(("code", "place"), PLACES.items())
def test_the_mount_is_named(code: str, place: str, tmp_path: Path) -> None:
    by, hint = refuse(code, place, tmp_path)
    assert by == "station"
    assert hint.startswith(f"{tmp_path / 'opt' / place} is a mount")
    assert hint.endswith(": as before")


@pytest.mark.parametrize("code", PLACES)
def test_without_a_mount_nothing_is_said(code: str, tmp_path: Path) -> None:
    assert refuse(code, "", tmp_path) == ["user", "as before"]


def test_nor_of_a_refusal_that_no_mount_explains(tmp_path: Path) -> None:
    assert refuse("chain-broken", "pht_train", tmp_path) == ["user", "as before"]

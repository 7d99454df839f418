"""Trains that import their own modules, beside which Python leaves a cache that nobody signed.

Published stations count the files of `pht_train` and refuse a train that has one more. What they
seal goes onto the base image, so that caches of their own runs do not travel.
"""

import compileall
from pathlib import Path

import pytest

from tests.interop.conftest import Depart
from tests.interop.journey import OURS, STATIONS, THEIRS, VisitFailed

# The older version is the same in everything that is used here.
pytestmark = pytest.mark.parametrize("published", ["1.0.0"], indirect=True)

FILES = {"train.py", "listing.py"}
WRITES_CACHES = ("python", "-E", "/opt/pht_train/train.py")
"""Python that does not look at PYTHONDONTWRITEBYTECODE, which our stations set."""


def test_a_cache_of_a_run_does_not_travel(
    depart: Depart, shapes: dict[str, Path], tmp_path: Path
) -> None:
    train = depart(command=WRITES_CACHES)
    for number, kind in enumerate((THEIRS, OURS, THEIRS)):
        found = train.visit(kind, STATIONS[number], shapes["one"])
        assert "__pycache__" in found.train
        assert train_files(train.take(tmp_path / str(number))) == FILES


def test_a_train_writes_no_cache_at_our_stop(depart: Depart, shapes: dict[str, Path]) -> None:
    train = depart()
    assert train.visit(OURS, STATIONS[0], shapes["one"]).train.keys() == FILES


def test_an_image_built_with_a_cache_goes_through_our_stops_only(
    depart: Depart, shapes: dict[str, Path]
) -> None:
    train = depart(change=lambda opt: compileall.compile_dir(opt / "pht_train", quiet=1))
    for station in STATIONS[:2]:
        assert train.visit(OURS, station, shapes["one"]).train.keys() == FILES
    with pytest.raises(VisitFailed, match="AssertionError"):
        train.visit(THEIRS, STATIONS[2], shapes["one"])


def train_files(opt: Path) -> set[str]:
    folder = opt / "pht_train"
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}

"""Told after a simulation: the runner's warnings with their stops, and where the output lies."""

from pathlib import Path

import pytest

from tests.desk import plant
from tests.unit.simulating import send

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("temporary")]

NO_RESULTS = "the train has left no results, or only empty files: it has to write into"
LEFT = (
    "the train has left files in its working folder, which are gone now: Rplots.pdf; "
    "only what it writes into"
)
IMPORTS = """
import os, pathlib, sys
station, results = os.environ["STATION_ID"], pathlib.Path(os.environ["PHT_RESULTS_DIR"])
"""


def warnings(said: str) -> list[str]:
    """Return the warnings of what trains have left."""
    lines = [line for line in said.splitlines() if "the train has left" in line]
    assert all(line.startswith("pht: warning: ") for line in lines)
    return [line.removeprefix("pht: warning: ").partition(" PHT_RESULTS_DIR")[0] for line in lines]


@pytest.mark.parametrize("generation", ["route", "flat"])
def test_a_warning_is_repeated_once_with_all_its_stops(
    generation: str, train: Path, data: Path
) -> None:
    left = "if station != 's-2': pathlib.Path('Rplots.pdf').touch()"
    plant(train, {"train.py": f"{IMPORTS}{left}"})
    status, said = send(train, data, generation=generation)
    assert status == 0
    assert warnings(said) == [
        f"stops 1, 3: {LEFT}",
        f"stops 1, 2, 3: {NO_RESULTS}",
    ]


@pytest.mark.parametrize(("end", "status"), [("", 0), ("sys.exit(3)", 3)])
def test_a_warning_of_one_stop_names_its_station(
    end: str, status: int, train: Path, data: Path
) -> None:
    write = "(results / station).write_text(station)"
    stop = f"if station == 's-2':\n    pathlib.Path('Rplots.pdf').touch()\n    {end or 'pass'}"
    plant(train, {"train.py": f"{IMPORTS}{write}\n{stop}"})
    ended, said = send(train, data)
    assert ended == status
    assert warnings(said) == [f"stop 2, station s-2: {LEFT}"]


def test_a_train_that_writes_results_only_is_warned_of_nothing(train: Path, data: Path) -> None:
    status, said = send(train, data)
    assert (status, warnings(said)) == (0, [])


def test_paths_in_warnings_are_those_of_a_station(train: Path, data: Path) -> None:
    for station in ("s-1", "s-2"):
        (data / station / "rows.csv").unlink()
    _, said = send(train, data)
    place = "stops 1, 2: TRAIN_DATA_PATH leads to an empty folder, /opt/train_data: "
    assert f"pht: warning: {place}" in said


def test_kept_output_is_named(train: Path, data: Path, keep: Path) -> None:
    _, said = send(train, data, route=["s-1"], keep=keep)
    assert f"pht: the output of each stop is in {keep}/NN-STATION.log\n" in said
    assert "at s-1\n" in (keep / "01-s-1.log").read_text()


def test_the_way_to_see_the_output_is_told_if_it_was_not_shown(train: Path, data: Path) -> None:
    way = "to see the output of each stop, start with -v, or with --keep DIR to keep it"
    for verbose in (False, True):
        _, said = send(train, data, route=["s-1"], verbose=verbose)
        assert (f"pht: {way}\n" in said) == (not verbose)

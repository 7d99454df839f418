"""Every row of the data goes to one station, unchanged."""

import subprocess
import sys
from pathlib import Path

import pytest

from prepare import prepare
from tests.examples.lung import EXAMPLE, LUNG_CSV


def test_every_row_goes_to_the_station_of_its_institution(tmp_path: Path) -> None:
    stations = prepare(tmp_path)
    assert stations == sorted(path.name for path in tmp_path.iterdir())
    assert (len(stations), stations[0], stations[-1]) == (18, "inst-01", "inst-33")
    header, *rows = LUNG_CSV.read_text(encoding="utf-8").splitlines()
    dealt: list[str] = []
    for station in stations:
        heading, *own = (tmp_path / station / "lung.csv").read_text(encoding="utf-8").splitlines()
        assert heading == header
        codes = {row.partition(",")[0] for row in own} - {""}
        assert codes == {f"{int(station.removeprefix('inst-'))}.0"}
        dealt += own
    assert sorted(dealt) == sorted(rows)


def test_the_row_without_an_institution_goes_to_the_first_station(tmp_path: Path) -> None:
    prepare(tmp_path)
    without = {
        path.parent.name: line
        for path in tmp_path.glob("*/lung.csv")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(",")
    }
    assert without == {"inst-01": ",329,1,69,1,2.0,70.0,80.0,713.0,20.0"}


def test_folders_that_are_there_already_are_left_alone(tmp_path: Path) -> None:
    taken = tmp_path / "inst-01"
    taken.mkdir()
    with pytest.raises(FileExistsError):
        prepare(tmp_path)
    assert list(taken.iterdir()) == []


def test_the_command_names_the_stations(tmp_path: Path) -> None:
    command = [sys.executable, "-B", str(EXAMPLE / "prepare.py")]
    done = subprocess.run(
        [*command, str(tmp_path / "data")], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == sorted(path.name for path in (tmp_path / "data").iterdir())
    wrong = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stderr) == (1, "usage: prepare.py DEST\n")

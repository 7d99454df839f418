"""The train: the same curve as from the pooled rows, in any order, and no data in its failures."""

import csv
import hashlib
import math
import random
from fractions import Fraction
from pathlib import Path

import pytest

from prepare import prepare
from tests.examples.lung import LUNG_CSV, SHA256, start_train, travel, write_patients

Row = dict[str, str]


def read(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return travel([LUNG_CSV], tmp_path_factory.mktemp("pooled") / "results")


@pytest.fixture(scope="module")
def curve(pooled: Path) -> list[Row]:
    return read(pooled / "curve.csv")


def redistribute_to_the_right(patients: list[tuple[int, bool]]) -> dict[int, float]:
    """Survival after each death by Efron's algorithm, which is not the product formula.

    Every patient begins with an equal mass; one who is censored hands it on, in equal parts, to
    those followed longer. What survives a day is the mass of the patients beyond it.
    """
    # At the same time deaths come before censorings.
    order = sorted(patients, key=lambda patient: (patient[0], not patient[1]))
    mass = [Fraction(1, len(order))] * len(order)
    survival, remaining = {}, Fraction(1)
    for place, (time, died) in enumerate(order):
        if died:
            remaining -= mass[place]
            survival[time] = float(remaining)
        else:
            beyond = len(order) - place - 1
            for later in range(place + 1, len(order)):
                mass[later] += mass[place] / beyond
    return survival


# --- the curve -----------------------------------------------------------------------------------


def test_the_data_is_the_published_one() -> None:
    assert hashlib.sha256(LUNG_CSV.read_bytes()).hexdigest() == SHA256


@pytest.mark.parametrize("order", ["as-named", "reversed", "shuffled-1", "shuffled-2"])
def test_any_order_of_stations_gives_the_files_of_the_pooled_rows(
    order: str, pooled: Path, tmp_path: Path
) -> None:
    stations = prepare(tmp_path / "data")
    if order == "reversed":
        stations.reverse()
    elif order != "as-named":
        random.Random(order).shuffle(stations)
    files = [tmp_path / "data" / station / "lung.csv" for station in stations]
    results = travel(files, tmp_path / "results")
    assert {path.name: path.read_bytes() for path in results.iterdir()} == {
        path.name: path.read_bytes() for path in pooled.iterdir()
    }


def test_another_algorithm_finds_the_same_survival_to_the_last_digit(curve: list[Row]) -> None:
    patients = [(int(row["time"]), row["status"] == "1") for row in read(LUNG_CSV)]
    found = {int(row["day"]): float(row["survival"]) for row in curve}
    assert found == redistribute_to_the_right(patients)


def test_the_statistics_count_every_patient_on_every_day(pooled: Path) -> None:
    patients = [(int(row["time"]), row["status"]) for row in read(LUNG_CSV)]
    counted = [tuple(map(int, row.values())) for row in read(pooled / "statistics.csv")]
    assert counted == [
        (day, sum(time >= day for time, _ in patients), patients.count((day, "1")))
        for day in range(1023)
    ]


def test_the_published_numbers_come_out(curve: list[Row]) -> None:
    assert curve[0]["at_risk"] == "228"
    assert sum(int(row["deaths"]) for row in curve) == 165

    def at_half(column: str) -> str:
        return next(row["day"] for row in curve if float(row[column]) <= 0.5)

    assert (at_half("survival"), at_half("lower_95"), at_half("upper_95")) == ("310", "285", "363")
    last = [round(float(curve[-1][name]), 4) for name in ("survival", "lower_95", "upper_95")]
    assert (curve[-1]["day"], last) == ("883", [0.0503, 0.0207, 0.1225])


def test_the_interval_is_greenwoods_on_the_log_scale(curve: list[Row]) -> None:
    variance = 0.0
    for row in curve:
        at_risk, deaths, survival = int(row["at_risk"]), int(row["deaths"]), float(row["survival"])
        variance += deaths / at_risk / (at_risk - deaths)
        spread = 1.959963984540054 * math.sqrt(variance)
        assert float(row["lower_95"]) == pytest.approx(survival * math.exp(-spread), rel=1e-12)
        assert float(row["upper_95"]) == pytest.approx(
            min(1, survival * math.exp(spread)), rel=1e-12
        )


def test_the_interval_is_empty_from_the_day_on_which_nobody_survives(tmp_path: Path) -> None:
    data = write_patients(tmp_path / "data.csv", [(3, 1), (8, 1)])
    first, last = read(travel([data], tmp_path / "results") / "curve.csv")
    assert (first["survival"], first["upper_95"]) == ("0.5", "1.0")
    assert (last["survival"], last["lower_95"], last["upper_95"]) == ("0.0", "", "")


def test_a_station_without_patients_changes_nothing(tmp_path: Path) -> None:
    some = write_patients(tmp_path / "some.csv", [(3, 1), (8, 0)])
    none = write_patients(tmp_path / "none.csv", [])
    alone = travel([some], tmp_path / "alone")
    for number, route in enumerate(([none, some], [some, none])):
        results = travel(route, tmp_path / f"route-{number}")
        for name in ("statistics.csv", "curve.csv"):
            assert (results / name).read_bytes() == (alone / name).read_bytes()


def test_files_of_spreadsheets_are_read(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_bytes(b"\xef\xbb\xbfsex,time,status\r\n1,3,1\r\n2,8,0\r\n")
    plain = write_patients(tmp_path / "plain.csv", [(3, 1), (8, 0)])
    found = travel([data], tmp_path / "found") / "curve.csv"
    assert found.read_bytes() == (travel([plain], tmp_path / "results") / "curve.csv").read_bytes()


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("5173.25,1", "time is not a whole number 0..40000"),
        ("-5173,1", "time is not a whole number 0..40000"),
        ("40001,1", "time is not a whole number 0..40000"),
        ("9" * 5000 + ",1", "time is not a whole number 0..40000"),
        ("٥١٧٣,1", "time is not a whole number 0..40000"),
        ("Miller-5173,1", "time is not a whole number 0..40000"),
        (",1", "time is not a whole number 0..40000"),
        ("5173", "status is neither 0 nor 1"),
        ("5173,", "status is neither 0 nor 1"),
        ("5173,2", "status is neither 0 nor 1"),
    ],
)
def test_a_bad_row_is_named_by_its_number_and_not_by_its_data(
    row: str, problem: str, tmp_path: Path
) -> None:
    data = tmp_path / "data.csv"
    data.write_text(f"time,status\n7,1\n{row}\n9,0\n", encoding="utf-8")
    results = tmp_path / "results"
    results.mkdir()
    done = start_train(data, results)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"survival: row 3 of the data: {problem}\n"
    assert list(results.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "has no column named time"),
        (b"time;status\n5173;1\n", "has no column named time"),
        (b"time,died\n5173,1\n", "has no column named status"),
        (b"time,status\n5173,1\nM\xfcller,1\n", "is not a csv file in UTF-8"),
        (b"time,status\n5173,1\n" + b"x" * 200_000 + b",1\n", "is not a csv file in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_without_its_data(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    data = tmp_path / "data.csv"
    data.write_bytes(content)
    results = tmp_path / "results"
    results.mkdir()
    done = start_train(data, results)
    assert done.returncode == 1
    assert done.stderr == f"survival: {data} {problem}\n"
    assert list(results.iterdir()) == []


def test_missing_data_is_said_with_the_variable_that_names_it(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        done = start_train(path, tmp_path)
        assert done.returncode == 1
        assert done.stderr == (
            f"survival: {path} is not a file: TRAIN_DATA_PATH names the station's csv file\n"
        )


def test_missing_results_folder_is_said(tmp_path: Path) -> None:
    done = start_train(LUNG_CSV, tmp_path / "none")
    assert done.returncode == 1
    assert done.stderr == (
        f"survival: {tmp_path / 'none' / 'statistics.csv'}: No such file or directory\n"
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1,5", "is not three whole numbers"),
        ("1,5,many", "is not three whole numbers"),
        ("1,5,-1", "is not three whole numbers"),
        ("2,5,1", "is out of place"),
        ("1,5,6", "is out of place"),
    ],
)
def test_statistics_that_the_train_did_not_write_are_refused(
    line: str, problem: str, tmp_path: Path
) -> None:
    earlier = f"day,at_risk,deaths\n0,9,0\n{line}\n"
    (tmp_path / "statistics.csv").write_text(earlier, encoding="utf-8")
    done = start_train(LUNG_CSV, tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"survival: statistics.csv: line 3 {problem}\n"
    assert (tmp_path / "statistics.csv").read_text(encoding="utf-8") == earlier

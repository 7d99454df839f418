"""Kaplan-Meier survival of patients whose rows never leave their stations.

Every station starts it with `python`; it needs Python 3.9 or newer and nothing besides the standard
library. A station sets the paths that it uses, so it can be simulated where no process may see
another /opt than the machine's.

The train carries two numbers for every day of follow-up: the patients at risk and the deaths
(`statistics.csv`). Both are sums over patients, so a station adds its own to those it finds, in
any order of stations. The curve (`curve.csv`) follows from the sums alone and in exact
arithmetic: it is the curve of the pooled patients to the last digit.
"""

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

# One line is carried per day: a mistyped time must not turn into a file of millions of lines.
MAX_DAY = 40_000
# The 97.5% point of the standard normal distribution, for intervals of 95%.
Z = Decimal("1.959963984540054")

STATISTICS_HEADER = ("day", "at_risk", "deaths")
CURVE_HEADER = ("day", "at_risk", "deaths", "survival", "lower_95", "upper_95")


class TrainError(Exception):
    """The train cannot go on; the message is for the station and holds none of its data."""


class Patient(NamedTuple):
    """Days of follow-up, and whether they ended with the patient's death."""

    time: int
    died: bool


class Day(NamedTuple):
    """Patients followed up to this day or longer, and how many of them die on it."""

    at_risk: int
    deaths: int


def read_patients(path: Path) -> list[Patient]:
    """The patients of this station.

    Args:
        path: a csv file with the columns `time` (whole days) and `status` (1 died, 0 censored).

    Raises:
        TrainError: no such file, not csv, a column missing or a value out of place.
    """
    if not path.is_file():
        raise TrainError(f"{path} is not a file: TRAIN_DATA_PATH names the station's csv file")
    # Spreadsheets put a byte order mark in front of the first column's name: utf-8-sig drops it.
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        try:
            for column in ("time", "status"):
                if column not in (rows.fieldnames or ()):
                    raise TrainError(f"{path} has no column named {column}")
            return [parse_patient(row, rows.line_num) for row in rows]
        except (UnicodeDecodeError, csv.Error):
            # Without its cause, which would quote the bytes that it stumbled over.
            raise TrainError(f"{path} is not a csv file in UTF-8") from None


def parse_patient(row: dict[str, str], number: int) -> Patient:
    """One row of the data; `number` is its line in the file, for the message if it is bad."""
    time, status = row["time"], row["status"]
    if not is_whole_number(time) or int(time) > MAX_DAY:
        raise TrainError(f"row {number} of the data: time is not a whole number 0..{MAX_DAY}")
    if status not in ("0", "1"):
        raise TrainError(f"row {number} of the data: status is neither 0 nor 1")
    return Patient(int(time), status == "1")


def is_whole_number(text: str) -> bool:
    """Whether it is up to nine ASCII digits; a cell that a short row lacks is None."""
    return bool(text) and len(text) < 10 and text.isascii() and text.isdigit()


def count_days(patients: list[Patient]) -> list[Day]:
    """The statistics of some patients, from day 0 to the last day that one of them is followed."""
    leaving = Counter(patient.time for patient in patients)
    dying = Counter(patient.time for patient in patients if patient.died)
    days = []
    at_risk = 0
    for day in range(max(leaving, default=-1), -1, -1):
        at_risk += leaving[day]
        days.append(Day(at_risk, dying[day]))
    return days[::-1]


def add_days(some: list[Day], others: list[Day]) -> list[Day]:
    """The statistics of both groups of patients together."""
    pairs = zip_longest(some, others, fillvalue=Day(0, 0))
    return [Day(a.at_risk + b.at_risk, a.deaths + b.deaths) for a, b in pairs]


def read_statistics(path: Path) -> list[Day]:
    """What the stations before have summed up; nothing at the first station.

    Raises:
        TrainError: the file is not one that this train has written.
    """
    if not path.exists():
        return []
    days = []
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        next(lines, None)
        for number, cells in enumerate(lines):
            if len(cells) != 3 or not all(map(is_whole_number, cells)):
                raise TrainError(f"{path.name}: line {number + 2} is not three whole numbers")
            day, at_risk, deaths = map(int, cells)
            if day != number or deaths > at_risk:
                raise TrainError(f"{path.name}: line {number + 2} is out of place")
            days.append(Day(at_risk, deaths))
    return days


def kaplan_meier(days: list[Day]) -> Iterator[tuple[int, int, int, str, str, str]]:
    """The rows of `curve.csv`: one for each day with a death.

    Survival is the product of (at risk - deaths) / at risk. Numerator and denominator are kept as
    whole numbers without a limit; their quotient is rounded once, to the nearest float.
    """
    numerator = denominator = 1
    variance = Decimal(0)
    for day, (at_risk, deaths) in enumerate(days):
        if deaths == 0:
            continue
        numerator *= at_risk - deaths
        denominator *= at_risk
        survival = numerator / denominator
        lower, upper = "", ""
        if numerator:
            variance += Decimal(deaths) / (at_risk * (at_risk - deaths))
            lower, upper = interval(survival, variance)
        yield day, at_risk, deaths, repr(survival), lower, upper


def interval(survival: float, variance: Decimal) -> tuple[str, str]:
    """Greenwood's 95% interval on the scale of log(survival), cut at 1.

    Decimal arithmetic (28 digits) gives the same digits on every machine; the exponential of
    the C library does not promise that.

    Args:
        survival: above 0; the interval is not defined once nobody survives.
        variance: Greenwood's sum of deaths / (at risk * (at risk - deaths)).
    """
    estimate = Decimal(survival)
    spread = Z * variance.sqrt()
    lower = estimate * (-spread).exp()
    upper = min(estimate * spread.exp(), Decimal(1))
    return repr(float(lower)), repr(float(upper))


def write_csv(path: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    """Write a csv file with the line ends of Unix on every system."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def visit(data: Path, results: Path) -> None:
    """Add the patients of one station to the results."""
    days = add_days(read_statistics(results / "statistics.csv"), count_days(read_patients(data)))
    numbered = ((day, at_risk, deaths) for day, (at_risk, deaths) in enumerate(days))
    write_csv(results / "statistics.csv", STATISTICS_HEADER, numbered)
    write_csv(results / "curve.csv", CURVE_HEADER, kaplan_meier(days))
    patients = days[0].at_risk if days else 0
    print(f"survival: {patients} patients, {sum(day.deaths for day in days)} deaths so far")


def main() -> None:
    """Run one visit with the paths that the station sets."""
    data, results = Path(os.environ["TRAIN_DATA_PATH"]), Path(os.environ["PHT_RESULTS_DIR"])
    try:
        visit(data, results)
    except TrainError as error:
        sys.exit(f"survival: {error}")
    except OSError as error:
        sys.exit(f"survival: {error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()

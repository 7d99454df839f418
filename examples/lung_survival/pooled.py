"""The same analysis without a train: all rows in one place, by the textbook formula.

It shares no code with the train on purpose: `demo.py` and the tests hold the two against each
other.
"""

import csv
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple


class PooledStep(NamedTuple):
    """One day with a death: patients at risk, deaths and the survival after it."""

    day: int
    at_risk: int
    deaths: int
    survival: float


def pooled_curve(path: Path) -> list[PooledStep]:
    """The Kaplan-Meier estimate from the rows of a csv file with the columns time and status."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [(int(row["time"]), row["status"] == "1") for row in csv.DictReader(file)]
    steps = []
    survival = Fraction(1)
    for day in sorted({time for time, died in rows if died}):
        at_risk = sum(time >= day for time, _ in rows)
        deaths = rows.count((day, True))
        survival *= 1 - Fraction(deaths, at_risk)
        steps.append(PooledStep(day, at_risk, deaths, float(survival)))
    return steps

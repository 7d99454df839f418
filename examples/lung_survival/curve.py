"""The results of the train as the plots and the check need them."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """One day with a death.

    The interval is None on the last day if nobody survives it: it is not defined there.
    """

    day: int
    at_risk: int
    deaths: int
    survival: float
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Curve:
    """A survival curve and the patients at risk on every day from 0 to the last."""

    steps: tuple[Step, ...]
    at_risk: tuple[int, ...]

    @property
    def last_day(self) -> int:
        """The longest follow-up of any patient, in days."""
        return len(self.at_risk) - 1

    @property
    def patients(self) -> int:
        """How many patients the curve describes."""
        return self.at_risk[0]

    @property
    def deaths(self) -> int:
        """How many of them died under observation."""
        return sum(step.deaths for step in self.steps)

    @property
    def median(self) -> int | None:
        """The first day on which at most half survive, or None if it is never reached."""
        return _first_day_at_half((step.day, step.survival) for step in self.steps)

    @property
    def median_interval(self) -> tuple[int | None, int | None]:
        """The days on which the two limits of the 95% interval come down to a half."""
        return (
            _first_day_at_half((step.day, step.lower) for step in self.steps),
            _first_day_at_half((step.day, step.upper) for step in self.steps),
        )


def read_curve(results: Path) -> Curve:
    """Read `curve.csv` and `statistics.csv` of a folder of decrypted results.

    Raises:
        OSError: a file is missing.
    """
    steps = tuple(
        Step(
            day=int(row["day"]),
            at_risk=int(row["at_risk"]),
            deaths=int(row["deaths"]),
            survival=float(row["survival"]),
            lower=float(row["lower_95"]) if row["lower_95"] else None,
            upper=float(row["upper_95"]) if row["upper_95"] else None,
        )
        for row in _rows(results / "curve.csv")
    )
    return Curve(steps, tuple(int(row["at_risk"]) for row in _rows(results / "statistics.csv")))


def day_ticks(last_day: int) -> list[int]:
    """At most seven round days from 0 for the labels of the time axis."""
    step, factors = 1, (2, 5, 10)
    while last_day // step > 6:
        decade = 10 ** (len(str(step)) - 1)
        step = next(factor * decade for factor in factors if factor * decade > step)
    return list(range(0, last_day + 1, step))


def median_text(curve: Curve) -> str:
    """The median survival with its 95% interval, in words."""
    if curve.median is None:
        return "median survival not reached"
    lower, upper = curve.median_interval
    return (
        f"median survival {curve.median} days"
        f" (95% CI {_day_or_open(lower)} to {_day_or_open(upper)})"
    )


def _day_or_open(day: int | None) -> str:
    return "not reached" if day is None else str(day)


def _first_day_at_half(values: Iterator[tuple[int, float | None]]) -> int | None:
    return next((day for day, value in values if value is not None and value <= 0.5), None)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))

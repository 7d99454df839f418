"""`pht new`: its train in R, which not every desk has, goes a route in containers."""

import csv
from pathlib import Path

import pytest

from tests.containers.engine import engine_address
from tests.station import pht

SUMS = [["Behçet", 3, 105], ["Ménière", 2, 107], ["Sjögren", 4, 229]]


@pytest.mark.parametrize("runner_image", ["r"], indirect=True)
def test_the_train_in_r_runs_as_it_is(runner_image: str, tmp_path: Path) -> None:
    made = pht("new", "first", "--language", "r", cwd=tmp_path)
    assert made.status == 0, made.stderr
    project = tmp_path / "first"

    done = pht(
        "simulate",
        "--output",
        "results",
        "--image",
        runner_image,
        cwd=project,
        env=engine_address(),
    )

    assert done.status == 0, done.stderr
    with (project / "results" / "ages.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            [row["diagnosis"], int(row["patients"]), int(row["years"])]
            for row in csv.DictReader(file)
        ]
    assert rows == SUMS

"""`pht new`: its trains go a route in containers, as simulated and as built."""

import csv
import os
from pathlib import Path

import pytest

from tests.station import pht

SUMS = [["Behçet", 3, 105], ["Ménière", 2, 107], ["Sjögren", 4, 229]]


@pytest.mark.parametrize(
    ("language", "runner_image"),
    [("python", "bookworm"), ("r", "r")],
    indirect=["runner_image"],
    ids=["python", "r"],
)
def test_it_runs_as_it_is(language: str, runner_image: str, tmp_path: Path) -> None:
    engine = {name: os.environ[name] for name in ("DOCKER_HOST", "HOME") if name in os.environ}
    made = pht("new", "first", "--language", language, cwd=tmp_path)
    assert made.status == 0, made.stderr
    project = tmp_path / "first"

    done = pht("simulate", "--output", "results", "--image", runner_image, cwd=project, env=engine)

    assert done.status == 0, done.stderr
    with (project / "results" / "ages.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            [row["diagnosis"], int(row["patients"]), int(row["years"])]
            for row in csv.DictReader(file)
        ]
    assert rows == SUMS

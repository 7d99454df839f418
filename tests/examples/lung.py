"""The example's train as a station starts it, without the runner around it."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "lung_survival"
LUNG_CSV = EXAMPLE / "lung.csv"
SHA256 = "16ebd02c38bbb5708186d600cff80ad84d0764974619436f83ba4a605e77eb44"


def start_train(data: Path, results: Path) -> "subprocess.CompletedProcess[str]":
    """Run the train once, as a process of its own, and return how it ended."""
    return subprocess.run(
        [sys.executable, "-B", EXAMPLE / "train" / "survival.py"],
        env={
            "PATH": os.environ["PATH"],
            "TRAIN_DATA_PATH": str(data),
            "PHT_RESULTS_DIR": str(results),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def travel(data: Iterable[Path], results: Path) -> Path:
    """Run the train over one file of data after another and return the folder of its results."""
    results.mkdir()
    for path in data:
        done = start_train(path, results)
        assert done.returncode == 0, done.stderr
    return results


def write_patients(path: Path, patients: Iterable[tuple[int, int]]) -> Path:
    """Write a csv file of patients, each a time and a status."""
    rows = [f"{time},{status}\n" for time, status in patients]
    path.write_text("time,status\n" + "".join(rows), encoding="utf-8")
    return path

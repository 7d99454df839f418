"""`make demo`, with the real runner at every station."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from pooled import PooledStep, pooled_curve
from tests.examples.lung import EXAMPLE, LUNG_CSV

CHECKOUT = EXAMPLE.parents[1]


def run_demo(folder: Path, checkout: Path = CHECKOUT) -> "subprocess.CompletedProcess[str]":
    """Run the demo in a folder, with an output that knows ASCII only."""
    return subprocess.run(
        [sys.executable, "-B", checkout / "examples" / "lung_survival" / "demo.py"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "ascii"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def steps(results: Path) -> list[PooledStep]:
    _heading, *rows = (results / "curve.csv").read_text(encoding="utf-8").splitlines()
    cells = [row.split(",") for row in rows]
    return [PooledStep(int(c[0]), int(c[1]), int(c[2]), float(c[3])) for c in cells]


def test_the_demo_ends_with_the_curve_of_the_pooled_rows(tmp_path: Path) -> None:
    done = run_demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    visits = re.findall(r"^(\d+) +(inst-\d\d) +visited ", done.stdout, re.MULTILINE)
    assert [int(number) for number, _ in visits] == list(range(1, 19))
    assert "228 patients, 165 deaths" in done.stdout
    assert "median survival 310 days (95% CI 285 to 363)" in done.stdout
    assert "equal to the pooled analysis: yes" in done.stdout
    assert done.stdout.isascii()
    build = tmp_path / "build" / "demo"
    assert steps(build / "results") == pooled_curve(LUNG_CSV)
    assert ElementTree.parse(build / "curve.svg").getroot().get("role") == "img"

    _check_places(done.stdout, tmp_path)
    _check_next(done.stdout, tmp_path)

    again = run_demo(tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert not (build / "again").exists(), "a new demo starts with an empty folder"


def _check_places(output: str, folder: Path) -> None:
    """Check that the named files and folders are there."""
    places = re.findall(r"^[a-z, ]+  +(build/\S+)", output, re.MULTILINE)
    assert len(places) == 4
    for place in places:
        assert (folder / place).exists(), place


def _check_next(output: str, folder: Path) -> None:
    """Run what the demo proposes to try next."""
    proposed = re.findall(r"^    (\S.*)$", output.partition("to try next:")[2], re.MULTILINE)
    done = [
        subprocess.run(
            shlex.split(command), cwd=folder, capture_output=True, text=True, check=True
        ).stdout
        for command in proposed
    ]
    assert len(done) == 2
    assert re.findall(r"inst-\d\d", done[0])[-1] == "inst-33"
    build = folder / "build" / "demo"
    assert steps(build / "again") == steps(build / "results")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout whose example may be changed."""
    root = tmp_path / "checkout"
    shutil.copytree(EXAMPLE, root / "examples" / "lung_survival")
    (root / "entrypoint").symlink_to(CHECKOUT / "entrypoint")
    return root


def test_a_train_that_fails_ends_the_demo_with_its_status(checkout: Path) -> None:
    train = checkout / "examples" / "lung_survival" / "train" / "survival.py"
    train.write_text('import sys\nprint("the train gives up")\nsys.exit(7)\n')
    done = run_demo(checkout, checkout)
    assert done.returncode == 7
    assert "the train gives up" in done.stderr
    assert "inst-01" in done.stderr
    assert "pooled" not in done.stdout


def test_a_curve_that_is_not_the_pooled_one_is_said(checkout: Path) -> None:
    train = checkout / "examples" / "lung_survival" / "train" / "survival.py"
    code = train.read_text()
    assert "numerator / denominator" in code
    train.write_text(code.replace("numerator / denominator", "numerator / denominator - 1e-9"))
    done = run_demo(checkout, checkout)
    assert done.returncode == 1
    assert "equal to the pooled analysis: no" in done.stdout


def test_a_folder_that_no_demo_has_made_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "build" / "demo" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    done = run_demo(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("build/demo is not from an earlier demo")
    assert mine.read_text() == "mine"

"""Trains that attack what the runner says about them."""

import json
from pathlib import Path

import pytest

from tests.station import RUNS_TRAIN, new_train, pht, settle, start, visit

FAKED = "pht: result=visited status=0 stage=commit state=sealed"


def fails_after(root: Path, written: str, log: str) -> None:
    new_train(root, f"import sys; sys.stderr.write({written!r}); sys.exit(3)")
    settle(root, "station_1", PHT_LOG=log)


def test_an_unfinished_line_does_not_become_the_status_line(tmp_path: Path) -> None:
    fails_after(tmp_path, FAKED, "text")
    *_, faked, _, error, _, status = visit(tmp_path).stderr.splitlines()
    assert faked == FAKED
    assert error.endswith("[train-failed]")
    assert status.startswith("pht: result=train-failed status=3 ")


def test_nor_does_an_unfinished_line_spoil_the_json(tmp_path: Path) -> None:
    fails_after(tmp_path, '{"level": "status", "result": "visited"', "json")
    status = json.loads(visit(tmp_path).stderr.splitlines()[-1])
    assert (status["result"], status["status"]) == ("train-failed", 3)


@pytest.mark.parametrize("code", [0, 3])
def test_a_stream_that_was_filled_and_made_not_to_wait_still_gets_the_status(
    tmp_path: Path, code: int
) -> None:
    new_train(
        tmp_path,
        f"""
import os, sys
os.set_blocking(2, False)
try:
    while True:
        os.write(2, b"x" * 4096)
except BlockingIOError:
    os.write(1, b"full")
sys.exit({code})
""",
    )
    settle(tmp_path, "station_1")
    with start("run", "--", *RUNS_TRAIN, root=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(4) == b"full"
        said = process.stderr.read().decode()
    assert process.returncode == code
    result = "train-failed" if code else "visited"
    assert said.splitlines()[-1].startswith(f"pht: result={result} status={code} ")


def test_names_with_control_characters_stay_on_their_line(tmp_path: Path) -> None:
    odd = "a\n\x1b[2Jpht: result=visited"
    new_train(tmp_path, f"import os; os.mkfifo(os.environ['PHT_RESULTS_DIR'] + '/' + {odd!r})")
    settle(tmp_path, "station_1")
    done = visit(tmp_path)
    assert (done.status, done.code) == (65, "results-unsafe")
    assert "\x1b" not in done.stderr
    assert not any(line.startswith("pht: result=visited") for line in done.stderr.splitlines())
    assert pht("check", root=tmp_path).status == 0

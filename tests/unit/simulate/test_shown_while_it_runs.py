"""Shown while a simulated visit runs: how long it takes, and the output of the train."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from entrypoint.author.stop import wait
from entrypoint.author.stop_display import TrainOutput
from entrypoint.limits import LOG_END_BYTES
from entrypoint.report import TRAIN_ENDED, TRAIN_RUNS
from tests.desk import pht_on_terminal, plant
from tests.station import finish, start
from tests.unit.simulating import COMMAND, send

RUNS, ENDED = (json.dumps({"level": "info", "message": text}) for text in (TRAIN_RUNS, TRAIN_ENDED))
OWN_LOG = json.dumps({"level": "info", "message": "epoch 1"})


def test_a_runner_is_looked_at_while_it_runs_and_once_when_it_has_ended() -> None:
    runner = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    ended = []

    def watch() -> None:
        ended.append(runner.returncode is not None)
        if runner.stdin:
            runner.stdin.close()  # which ends it

    assert wait(runner, watch) == 0
    assert ended == [False, True]


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("temporary")
def test_a_terminal_shows_how_long_a_stop_takes(train: Path, data: Path) -> None:
    plant(train, {"train.py": "import time\ntime.sleep(2.5)"})
    words: list[str | Path] = ["simulate", train, "--data", data, "--route", "s-1"]
    status, shown = pht_on_terminal([*words, "--", *COMMAND])
    assert status == 0
    line = "\r\x1b[Kpht: stop 1 of 1: s-1"
    assert re.search(re.escape(line) + f"({re.escape(line)}, [1-9][0-9]* s)+\r\x1b\\[K", shown)
    assert f"{line}, 1 s{line}" in shown
    assert f"{line}, 2 s" in shown


# --- output --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("temporary")
def test_verbose_shows_output_as_it_comes(train: Path, data: Path, tmp_path: Path) -> None:
    """The train goes on when its first line has been shown."""
    seen = tmp_path / "seen"
    plant(train, {"train.py": f"import os\nprint('first', flush=True)\nopen({str(seen)!r}).read()"})
    subprocess.run(["mkfifo", "--mode", "666", seen], check=True)
    process = start("simulate", train, "--data", data, "--route", "s-1", "-v", "--", *COMMAND)
    assert process.stderr is not None
    while (line := process.stderr.readline()) != b"pht: | first\n":
        assert line
    seen.write_text("")
    done = finish(process)
    assert done.status == 0
    assert "| first" not in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("temporary")
@pytest.mark.parametrize("status", [0, 3])
def test_verbose_shows_output_once_and_no_message_of_the_runner(
    status: int, train: Path, data: Path
) -> None:
    lines = ["ü", OWN_LOG, "unfinished"]
    script = f"import sys\nprint({chr(10).join(lines)!r}, end='')\nsys.exit({status})"
    plant(train, {"train.py": script})
    ended, said = send(train, data, route=["s-1"], verbose=True)
    assert ended == status
    shown = [line for line in said.splitlines() if line.startswith("pht: | ")]
    assert shown == [f"pht: | {line}" for line in lines]
    assert "-v" not in said


def test_lines_are_shown_when_they_are_complete(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of the engine\n" + RUNS + "\none\n\ntw")
    output = TrainOutput(log)
    assert list(output.new_lines()) == ["of the engine", "one"]
    assert list(output.new_lines()) == []
    with log.open("a") as file:
        file.write("o\n" + OWN_LOG + "\nrest\n" + ENDED + "\n" + OWN_LOG + "\nkilled")
    assert list(output.new_lines()) == ["two", OWN_LOG, "rest"]
    assert list(output.unfinished_line()) == ["killed"]
    assert list(output.unfinished_line()) == []


def test_a_line_without_an_end_is_shown_in_pieces(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("x" * (3 * LOG_END_BYTES + 1))
    output = TrainOutput(log)
    pieces = [*output.new_lines(), *output.unfinished_line()]
    assert "".join(pieces) == log.read_text()
    assert max(map(len, pieces)) <= 2 * LOG_END_BYTES


def test_a_log_that_the_train_has_emptied_is_followed_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(RUNS + "\none\n")
    output = TrainOutput(log)
    assert list(output.new_lines()) == ["one"]
    log.write_text("two\n")
    assert list(output.new_lines()) == ["two"]

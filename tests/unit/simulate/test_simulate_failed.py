"""A simulated visit that fails: the stop is named, the train quoted, and nothing left behind."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.author import local_visit, stop
from entrypoint.author.visit_result import read_log
from entrypoint.report import TRAIN_RUNS
from tests.desk import plant
from tests.station import PATIENCE_S, REPOSITORY, wait_until
from tests.unit.simulating import COMMAND, send

Watch = Callable[[], None]
Wait = Callable[["subprocess.Popen[bytes]", Watch], int]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("temporary")]


@pytest.fixture
def runner_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Code of a train whose runner is killed when the train comes to it."""
    reached = tmp_path / "reached"

    def kill_and_wait(
        process: "subprocess.Popen[bytes]", watch: Watch, wait: Wait = stop.wait
    ) -> int:
        wait_until(reached.exists)
        process.kill()
        return wait(process, watch)

    monkeypatch.setattr(local_visit, "wait", kill_and_wait)
    return f"import time\nopen({str(reached)!r}, 'w')\ntime.sleep(60)\n"


def test_a_train_that_fails_is_placed_and_quoted(
    train: Path, data: Path, output: Path, keep: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plant(data, {"s-2/rows.csv": "bad"})
    status, said = send(train, data, output=output, keep=keep)
    assert status == 1
    assert not output.exists()
    assert "pht: | at s-2\npht: | first line of trouble\npht: | the data is bad\n" in said
    assert "error: stop 2 of 3, station s-2, stage command" in said
    assert "ended with status 1 [train-failed]\npht: hint: tell the train's author" in said
    assert f"the folders and logs of all stations are in {keep}" in said
    last = said.splitlines()[-1]
    assert last.startswith("pht: result=train-failed status=1 stage=command")
    assert last.endswith("station=s-2")
    assert capfd.readouterr().out == ""
    assert not (keep / "03-s-10").exists()
    # The failed visit was taken back: the train is as the first station left it.
    first = (keep / "01-s-1" / "opt" / "train_config.json").read_bytes()
    assert (keep / "02-s-2" / "opt" / "train_config.json").read_bytes() == first


def test_a_cause_that_the_output_shows_is_named(train: Path, data: Path) -> None:
    plant(train, {"train.py": "import no_such_module"})
    status, said = send(train, data, route=["s-1"])
    assert status == 1
    assert "ended with status 1 [train-failed]\npht: hint: the Python module no_such_module" in said


def test_where_a_station_had_to_act_the_author_does(train: Path, data: Path) -> None:
    plant(train, {"train.py": "import os, signal\nos.kill(os.getpid(), signal.SIGBUS)"})
    status, said = send(train, data)
    assert status == 128 + signal.SIGBUS
    assert " by=author " in said.splitlines()[-1]


IMITATIONS = [
    {"level": "status", "result": "boo", "status": 137, "code": ["a"]},
    {"level": "error", "code": ["a"], "message": "m", "hint": "h", "problems": 7},
]


@pytest.mark.parametrize("message", IMITATIONS, ids=["status", "error"])
def test_messages_of_a_train_may_have_values_of_any_type(
    message: dict[str, object], train: Path, data: Path, runner_is_killed: str
) -> None:
    code = f"import sys\nprint({json.dumps(message)!r}, file=sys.stderr, flush=True)\n"
    plant(train, {"train.py": code + runner_is_killed})
    status, said = send(train, data)
    assert status == 137
    assert "[bug]" not in said


def test_without_keep_the_way_to_keep_is_told(train: Path, data: Path) -> None:
    plant(data, {"s-1/rows.csv": "bad"})
    status, said = send(train, data)
    assert status == 1
    assert "to look at the folders of all stations, start again with --keep DIR" in said


LOG_LINES = ["line {}", '{{"level": "info", "message": "line {}"}}']


@pytest.mark.parametrize("line", LOG_LINES, ids=["text", "JSON"])
def test_a_long_output_is_quoted_from_its_end(line: str, train: Path, data: Path) -> None:
    code = f"for n in range(100_000): print({line!r}.format(n))\nraise SystemExit(3)"
    plant(train, {"train.py": code})
    status, said = send(train, data, route=["s-1"])
    assert status == 3
    quoted = [line for line in said.splitlines() if line.startswith("pht: | ")]
    assert quoted == [f"pht: | {line.format(number)}" for number in range(99_980, 100_000)]
    assert said.splitlines()[-1].startswith("pht: result=train-failed status=3 stage=command")


def test_a_log_of_the_train_that_looks_like_ours_is_its_output(train: Path, data: Path) -> None:
    imitated = [*IMITATIONS, {"level": "info", "message": TRAIN_RUNS}, {"level": "status"}]
    lines = [json.dumps(message) for message in imitated]
    code = "\n".join(f"print({line!r})" for line in lines)
    plant(train, {"train.py": f"{code}\nprint({lines[0]!r}, end='')\nraise SystemExit(3)"})
    status, said = send(train, data, route=["s-1"])
    assert status == 3
    quoted = [line for line in said.splitlines() if line.startswith("pht: | ")]
    assert quoted == [f"pht: | {line}" for line in [*lines, lines[0]]]
    assert "error: stop 1 of 1, station s-1, stage command" in said


def test_a_refusal_of_the_runner_is_passed_on(train: Path, data: Path) -> None:
    status, said = send(train, data, command=["python", "-c", "print()"])
    assert status == 77
    assert "station s-1" in said
    assert "[command-not-signed]" in said
    assert "hint: build the image with CMD" in said
    assert "code=command-not-signed" in said.splitlines()[-1]


def test_a_command_that_is_not_there_is_told(train: Path, data: Path) -> None:
    (train / "train.sh").write_text("#!/no/such/interpreter\n")
    (train / "train.sh").chmod(0o755)
    status, said = send(train, data, command=["/opt/pht_train/train.sh"])
    assert status == 127
    assert "train.sh, exists, but its #! line names /no/such/interpreter, which is missing" in said


def test_a_runner_that_is_killed_is_told(train: Path, data: Path, runner_is_killed: str) -> None:
    plant(train, {"train.py": runner_is_killed})
    status, said = send(train, data)
    assert status == 128 + 9
    assert "the runner ended with status 137, without the status line of a visit" in said
    assert said.splitlines()[-1] == "pht: result=runner-failed status=137 station=s-1"


def test_a_status_line_that_the_train_has_made_up_is_not_passed_on(
    train: Path, data: Path, runner_is_killed: str
) -> None:
    line = json.dumps({"level": "status", "result": "visited", "status": 0, "stage": "commit"})
    plant(train, {"train.py": f"print({line!r}, flush=True)\n{runner_is_killed}"})
    status, said = send(train, data)
    assert status == 128 + 9
    assert "stage start: the runner ended with status 137" in said
    assert said.splitlines()[-1] == "pht: result=runner-failed status=137 station=s-1"


def test_output_without_a_line_end_hides_no_message(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('no line end{"level": "status", "status": 1}\n{"level": not json\n3\n')
    read = read_log(log)
    assert read.facts == {"level": "status", "status": 1}
    assert read.train == ["no line end", '{"level": not json', "3"]


def test_an_imitated_status_line_adds_nothing_to_ours(
    train: Path, data: Path, runner_is_killed: str
) -> None:
    line = json.dumps({"level": "status", "status": 137, "a result=visited b": "c result=visited"})
    plant(train, {"train.py": f"print({line!r}, flush=True)\n{runner_is_killed}"})
    status, said = send(train, data)
    assert status == 128 + 9
    assert said.splitlines()[-1] == "pht: result=runner-failed status=137 station=s-1"


def test_output_that_only_begins_like_json_is_output(train: Path, data: Path) -> None:
    nested = '{"level": ' + "[" * 20_000
    plant(train, {"train.py": f"print({nested!r})\nraise SystemExit(1)"})
    status, said = send(train, data, route=["s-1"])
    assert status == 1
    assert "[[[" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_simulation_leaves_nothing_behind(
    train: Path, data: Path, output: Path, tmp_path: Path, number: signal.Signals
) -> None:
    started = tmp_path / "started"
    script = (
        f"import os, time\nopen({str(started)!r}, 'w').write(f'{{os.getpid()}} {{os.getppid()}}')"
    )
    plant(train, {"train.py": f"{script}\ntime.sleep(600)"})
    words = ["simulate", train, "--data", data, "--output", output, "--", *COMMAND]
    process = subprocess.Popen(
        [sys.executable, "-m", "entrypoint", *map(str, words)],
        cwd=REPOSITORY,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: started.exists() and " " in started.read_text())
    process.send_signal(number)
    assert process.wait(PATIENCE_S) == 130
    for pid in started.read_text().split():
        assert not Path("/proc", pid).exists()
    assert not output.exists()

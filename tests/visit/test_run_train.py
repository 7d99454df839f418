"""The train in a visit: its environment, its streams, its arguments, and what it leaves behind."""

import json
import os
import sys
import time
from pathlib import Path

import pytest

from tests.station import (
    REPOSITORY,
    RUNS_TRAIN,
    new_train,
    opened,
    pht,
    settle,
    snapshot,
    visit,
)
from tests.visit.flat_train import first_stop


def test_the_environment_of_the_train(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "print(json.dumps(dict(os.environ)))")
    data = tmp_path / "a=b.csv"
    data.touch()
    settle(tmp_path, "station_1", TRAIN_DATA_PATH=str(data), PHT_TIMEOUT="50")

    done = visit(
        tmp_path, env={"USER": "analyst", "MODEL": "linear", "EMPTY": "", "PHT_LOG": "text"}
    )

    environment = json.loads(done.stdout)
    places = [Path(environment.pop(name)) for name in ("HOME", "TMPDIR")]
    assert [place.name for place in places] == ["home", "tmp"]
    assert not any(place.exists() for place in places)
    assert environment == {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(REPOSITORY),
        "LOGNAME": "pht-train",
        "USER": "analyst",
        "MODEL": "linear",
        "EMPTY": "",
        "STATION_ID": "station_1",
        "TRAIN_DATA_PATH": str(data),
        "PHT_TIMEOUT": "50",
        "PHT_LOG": "text",
        "PHT_TRAIN_DIR": str(opt / "pht_train"),
        "PHT_RESULTS_DIR": str(opt / "pht_results"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.mark.parametrize(
    "name", ["RSA_STATION_PRIVATE_KEY", "RSA_STATON_PRIVATE_KEY", "PRIVATE_KEY_PATH"]
)
def test_the_train_never_gets_the_key(name: str, tmp_path: Path) -> None:
    first_stop(tmp_path, "print(json.dumps(dict(os.environ)))")
    file = tmp_path / "run" / "pht" / "private_key.pem"
    pem = file.read_bytes()
    file.rename(tmp_path / "key")
    value = str(tmp_path / "key") if name == "PRIVATE_KEY_PATH" else pem.hex()

    done = visit(tmp_path, env={name: value})

    assert done.status == 0
    assert name not in json.loads(done.stdout)
    assert value.encode() not in done.stdout


def test_the_train_reads_stdin_and_writes_stdout_alone(tmp_path: Path) -> None:
    first_stop(
        tmp_path,
        "data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data[::-1]);"
        " print('by the train', file=sys.stderr)",
    )

    done = visit(tmp_path, stdin=b"\0\xffabc")

    assert (done.status, done.stdout) == (0, b"cba\xff\0")
    assert [line for line in done.lines if not line.startswith("pht: ")] == ["by the train"]


def test_the_train_gets_its_arguments_and_working_directory(tmp_path: Path) -> None:
    first_stop(tmp_path, "print(json.dumps([sys.argv, os.getcwd()]))")
    arguments = ["--root", "/", "--", "run", "", "ü", "a b"]

    done = pht("run", "--", *RUNS_TRAIN, *arguments, root=tmp_path, cwd=tmp_path / "opt")

    path = str(tmp_path / "opt" / "pht_train" / "train.py")
    assert json.loads(done.stdout) == [[path, *arguments], str(tmp_path / "opt")]


def test_the_command_may_name_the_file_as_it_lies_below_the_root(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "(results / 'a').touch()")

    assert visit(tmp_path, [sys.executable, str(opt / "pht_train" / "train.py")]).status == 0


def test_a_signed_file_may_itself_be_the_command(tmp_path: Path) -> None:
    script = b"#!/bin/sh\necho x > $PHT_RESULTS_DIR/a\n"
    opt = new_train(tmp_path, "", {"run.sh": script})
    (opt / "pht_train" / "run.sh").chmod(0o755)
    settle(tmp_path, "station_1")

    assert visit(tmp_path, ["/opt/pht_train/run.sh"]).status == 0
    assert opened(opt) == {"a": b"x\n"}


def test_the_train_finds_the_field_that_it_may_read_and_no_finished_config(tmp_path: Path) -> None:
    look = "config = json.loads((results.parent / 'train_config.json').read_text())"
    first_stop(
        tmp_path,
        f"{look}; print(json.dumps([config['user_he_key'], 'e_h' in config]))",
        user_he_key={"n": "12345678901234567890"},
    )

    assert json.loads(visit(tmp_path).stdout) == [{"n": "12345678901234567890"}, False]


def test_modules_of_the_train_leave_no_cache(tmp_path: Path) -> None:
    opt = new_train(tmp_path, "import helper", {"helper.py": b"X = 1"})
    settle(tmp_path, "station_1")

    assert visit(tmp_path).status == 0
    assert sorted(path.name for path in (opt / "pht_train").iterdir()) == ["helper.py", "train.py"]


def test_what_the_train_leaves_running_changes_nothing(tmp_path: Path) -> None:
    opt = first_stop(
        tmp_path,
        """
import time
for name in "ab":
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            (results / f"{name}.pid").write_text(str(os.getpid()))
            while True:
                with (results / name).open("a") as file:
                    file.write("x")
        os._exit(0)
while len(list(results.glob("*.pid"))) < 2 or not (results / "a").exists():
    time.sleep(0.01)
""",
    )

    assert visit(tmp_path).status == 0

    sealed = snapshot(tmp_path)
    results = opened(opt)
    for name in "ab":
        assert not Path(f"/proc/{int(results[f'{name}.pid'])}").exists()
    time.sleep(0.2)
    assert snapshot(tmp_path) == sealed

"""The author is warned of files that should not travel, and the train is built all the same."""

import json
import re
from pathlib import Path

import pytest

from tests import reference
from tests.desk import plant
from tests.reference_paillier import PRIVATE
from tests.station import pht
from tests.unit.creating import USER_KEY, build_train, command
from tests.unit.simulating import send

KEY = USER_KEY.read_bytes()
LINE_ENDS = "is a script with the line ends of Windows, which Linux may not be able to run"


def warnings(said: str) -> list[str]:
    return re.findall("^pht: warning: (.*)$", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("file", "contents", "warning"),
    [
        ("a/.env", b"PASSWORD=x", "a/.env may hold passwords"),
        (".Rhistory", b"q()", ".Rhistory holds what was typed into R"),
        (".RData", b"RDX3", ".RData holds the data of a session of R"),
        ("user.pem", KEY, "user.pem holds a private key"),
        ("notes", b"my key:\r\n" + KEY, "notes holds a private key"),
        (
            "id",
            b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
            "id holds a private key",
        ),
        ("he.json", json.dumps(PRIVATE).encode(), "he.json holds a private key"),
        ("run.sh", b"echo\r\n", f"run.sh {LINE_ENDS}"),
        ("b.R", b"x <- 1\r\n", f"b.R {LINE_ENDS}"),
        ("b.py", b"x = 1\r\n", f"b.py {LINE_ENDS}"),
        ("start", b"#!/bin/sh\r\necho\r\n", f"start {LINE_ENDS}"),
        (
            "venv/pyvenv.cfg",
            b"home = /usr/bin",
            "venv/pyvenv.cfg belongs to a virtual environment, which works on this machine only",
        ),
        (
            "RUN.py",
            b"",
            "run.py differs from RUN.py only in case or in the Unicode form of its name",
        ),
        ("A/z", b"", "a differs from A only in case or in the Unicode form of its name"),
        (
            "B/u\u0308.txt",
            b"",
            "B/ü.txt differs from B/u\u0308.txt only in case or in the Unicode form of its name",
        ),
    ],
)
def test_a_doubtful_file_is_named(
    file: str, contents: bytes, warning: str, train: Path, output: Path
) -> None:
    (train / file).parent.mkdir(exist_ok=True)
    (train / file).write_bytes(contents)
    assert warnings(build_train(train, output)) == [warning]
    assert file in reference.load_config(output / "opt")["immutable_file_list"]


@pytest.mark.parametrize(
    ("file", "contents"),
    [
        (".env.example", b"PASSWORD="),
        ("user.public.pem", (USER_KEY.parent / "user.pk.pem").read_bytes()),
        ("read.py", b"if line == '-----BEGIN PRIVATE KEY-----':\n"),
        ("table.csv", b"a,b\r\n1,2\r\n"),
        ("run.sh", b"echo\n"),
        ("environment.cfg", b"home = /usr/bin"),
    ],
)
def test_other_files_are_not(file: str, contents: bytes, train: Path, output: Path) -> None:
    (train / file).write_bytes(contents)
    assert warnings(build_train(train, output)) == []


@pytest.mark.parametrize(
    ("size", "named"), [(100_000_000, []), (101_000_000, ["model has 101 MB"])]
)
def test_a_large_file_is_named(size: int, named: list[str], train: Path, output: Path) -> None:
    with (train / "model").open("wb") as file:
        file.truncate(size)
    said = warnings(build_train(train, output))
    assert said == [f"{text}, which every station has to fetch" for text in named]


def test_a_virtual_environment_is_one_warning(train: Path, output: Path) -> None:
    plant(
        train / "venv", {"pyvenv.cfg": "", "bin/activate": "", "lib/a.py": "\r\n", "lib/A.py": ""}
    )
    (train / "venv" / "lib" / "test.pem").write_bytes(KEY)
    assert len(warnings(build_train(train, output))) == 1


def test_excluded_files_are_not_warned_of(train: Path, output: Path) -> None:
    plant(train, {".env": ""})
    assert warnings(build_train(train, output, exclude=[".env"])) == []


def test_their_number_is_bounded(train: Path, output: Path) -> None:
    plant(train, {f"{number}/.env": "" for number in range(25)})
    said = warnings(build_train(train, output))
    assert len(said) == 21
    assert said[-1] == "5 more doubts of this kind"


def test_they_do_not_change_the_status(train: Path, output: Path) -> None:
    plant(train, {".env": "", ".Rhistory": ""})
    done = pht(*command(train, output, USER_KEY))
    assert (done.status, len(warnings(done.stderr))) == (0, 2)


def test_a_simulation_warns_too(tmp_path: Path) -> None:
    train = plant(tmp_path / "train", {"train.py": "", ".env": ""})
    status, said = send(train, plant(tmp_path / "data", {"s-1/rows.csv": "one"}))
    assert (status, warnings(said)[0]) == (0, ".env may hold passwords")

"""Advice by the messages of the interpreters of this machine, and by some that it does not have."""

import subprocess
import sys

import pytest

from entrypoint.author.advice import advise
from entrypoint.report import Fact

FAILED: dict[str, Fact] = {"result": "train-failed", "reason": "exited", "by": "author"}

PYTHON = {
    "import no_such_module": "Python module no_such_module is missing",
    "import no_such_package.below": "Python module no_such_package is missing",
    "import json.below": "Python module json is missing",
    "from train_lib.security import homomorphic_addition": "copy the modules",
    "bytearray(2**62)": "memory ran out",
    "import subprocess; subprocess.run(['no-such-program'])": "program no-such-program is missing",
    "import subprocess; subprocess.run('no-such-program', shell=True, check=True)": (
        "program no-such-program is missing"
    ),
    "import os; os.execvp('env', ['env', 'no-such-program'])": "program no-such-program is missing",
    "import ctypes; ctypes.CDLL('libnothing.so.3')": "shared library libnothing.so.3 is missing",
    "open('/dev/full', 'w', buffering=1).write('\\n')": "a disk was full",
}
"""Programs in Python, and a part of the hint for each."""

QUOTED = {
    "ImportError: Missing optional dependency 'openpyxl'.  Use pip or conda to install openpyxl.": (
        "Python module openpyxl is missing"
    ),
    "/usr/bin/python3: No module named pandas": "Python module pandas is missing",
    "_tkinter.TclError: no display name and no $DISPLAY environment variable": "no display",
    '_tkinter.TclError: couldn\'t connect to display ":0"': "no display",
    "ImportError: Cannot load backend 'TkAgg' which requires the 'tk' interactive framework, as "
    "'headless' is currently running": "no display",
    "OSError: [Errno 113] No route to host": "no network",  # as in gVisor
    "urllib.error.URLError: <urlopen error [Errno 113] Host is unreachable>": "no network",
    "terminate called after throwing an instance of 'std::bad_alloc'": "memory ran out",
    "/opt/pht_train/run.sh: line 1:     7 Killed                  python": "memory ran out",
}
"""Messages of what this machine may not have, and a part of the hint for each."""

NO_CAUSE = [
    "the data is bad",
    "FileNotFoundError: [Errno 2] No such file or directory: 'patients.csv'",
    "patient not found",
    "/opt/pht_train/run.sh: 2: ls\r: not found",
    "Permission denied",
]
"""Messages that leave the runner's hint."""


def hint_for(*command: str) -> str | None:
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert done.returncode != 0
    return advise(FAILED, done.stderr.splitlines())


@pytest.mark.parametrize("code", PYTHON)
def test_a_message_of_python_is_understood(code: str) -> None:
    assert PYTHON[code] in (hint_for(sys.executable, "-c", code) or "")


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_program_that_a_shell_does_not_find_is_named(shell: str) -> None:
    assert "the program frobnicate is missing" in (hint_for(shell, "-c", "frobnicate") or "")


@pytest.mark.parametrize("message", QUOTED)
def test_a_quoted_message_is_understood(message: str) -> None:
    assert QUOTED[message] in (advise(FAILED, [message]) or "")


@pytest.mark.parametrize("message", NO_CAUSE)
def test_other_output_leaves_the_hint_of_the_runner(message: str) -> None:
    assert advise(FAILED, ["at s-1", message]) is None


def test_the_last_message_counts() -> None:
    lines = ["No module named 'fast_json'", "/tmp/x: Permission denied", "goodbye"]
    assert "no right to /tmp/x" in (advise(FAILED, lines) or "")
    assert "module fast_json" in (advise(FAILED, lines[::-1]) or "")


def test_a_train_that_ran_out_of_memory_needs_no_message() -> None:
    facts = FAILED | {"reason": "out-of-memory", "by": "station"}
    assert "--memory" in (advise(facts, ["No module named 'pandas'"]) or "")


@pytest.mark.parametrize(
    "facts",
    [{}, {"result": "refused"}, FAILED | {"by": "station"}, FAILED | {"reason": "not-found"}],
)
def test_where_the_runner_knows_better_it_is_left_alone(facts: dict[str, Fact]) -> None:
    assert advise(facts, ["No module named 'pandas'"]) is None


def test_long_names_and_lines_are_cut() -> None:
    hint = advise(FAILED, [f"No module named '{'x' * 300}'", "library(" * 100_000])
    assert hint is not None
    assert "x" * 80 in hint
    assert "x" * 81 not in hint

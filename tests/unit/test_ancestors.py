"""Variables are erased from the first environment of a process that goes on running."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from entrypoint.linux.ancestors import ancestors, erase_variables
from tests.station import REPOSITORY

NAMES = ("KEY", "PASSWORD")
ENVIRONMENT = {"A": "1", "KEY": "secret" * 500, "MONKEY": "KEY=x", "PASSWORD": "ü", "Z": "2"}


@contextmanager
def running(environment: dict[str, str]) -> Iterator[int]:
    """Start a process with an environment and yield its id."""
    command = ["/bin/sh", "-c", "echo; read line; exit 5"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        yield process.pid
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait() == 5


def entries(pid: int) -> list[str]:
    data = Path(f"/proc/{pid}/environ").read_bytes()
    return sorted(os.fsdecode(entry) for entry in data.split(b"\0") if entry)


def test_only_the_named_variables_are_erased() -> None:
    with running(ENVIRONMENT) as pid:
        assert erase_variables(pid, NAMES)
        assert entries(pid) == ["A=1", "MONKEY=KEY=x", "Z=2"]


@pytest.mark.parametrize("environment", [{"A": "1"}, {"A": "1", "KEY": ""}, {}])
def test_without_them_nothing_changes(environment: dict[str, str]) -> None:
    with running(environment) as pid:
        assert erase_variables(pid, NAMES)
        assert entries(pid) == sorted(f"{name}={value}" for name, value in environment.items())


def test_variables_that_cannot_be_overwritten_are_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("entrypoint.linux.ancestors._ENVIRONMENT_START", 22)  # another field
    with running(ENVIRONMENT) as pid:
        assert not erase_variables(pid, NAMES)


def test_a_process_that_has_ended_holds_nothing() -> None:
    with running(ENVIRONMENT) as pid:
        pass
    assert erase_variables(pid, NAMES)


def test_the_ancestors_are_all_parents_and_the_first_process() -> None:
    found = ancestors()
    assert found[:2] == [1, os.getppid()]
    program = "from entrypoint.linux.ancestors import ancestors; print(*ancestors())"
    command = ["/bin/sh", "-c", '"$@"; exit $?', "(a) b", sys.executable, "-B", "-c", program]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    first, _, *others = map(int, done.stdout.split())
    assert [first, *others] == [1, os.getpid(), *found[1:]]

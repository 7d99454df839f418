"""A key from the environment: the program starts once more without it, and keeps it elsewhere."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from entrypoint.errors import SystemFailure
from entrypoint.model import Paths
from entrypoint.settings.held_key import HeldValue, hide
from entrypoint.settings.private_key import KeySettings, load_station_key
from tests.memory import memory_of
from tests.station import REPOSITORY

SECRET = "5ec7e7" * 700
ENVIRONMENT = {
    "RSA_STATION_PRIVATE_KEY": SECRET,
    "PRIVATE_KEY_PASSWORD": "pässword\udcff",
    "MODEL": "of the train \udcff",
    "LD_AUDIT": "",
}
PROGRAM = """
import json, os, sys
from entrypoint.linux.secret_memory import load
from entrypoint.settings.held_key import hide
environment = hide(dict(os.environ))
held = {name: os.fsdecode(load(environment[name].descriptor))
        for name in sys.argv[1:2] if name in environment}
print(json.dumps({"pid": os.getpid(), "arguments": sys.argv, "flags": list(sys.flags),
                  "environment": environment, "held": held}), flush=True)
print(json.dumps(sys.stdin.read()), flush=True)
sys.exit(3)
"""
"""Reads from secret memory what its first argument names, tells what it has, and waits for the end
of its input."""


@contextmanager
def started(
    *arguments: str, program: str = PROGRAM, **environment: str
) -> Iterator[tuple["subprocess.Popen[bytes]", dict[str, Any]]]:
    """Start the program and yield it with what it tells."""
    with subprocess.Popen(
        [sys.executable, "-B", "-X", "utf8", "-c", program, *arguments],
        env={"PYTHONPATH": str(REPOSITORY), "LANG": "C", **environment},
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_the_program_starts_again_as_it_was_started() -> None:
    arguments = ["", "a b", os.fsdecode(b"\xff\n"), "--held-key=1", "ü"]
    with started(*arguments, **ENVIRONMENT) as (process, told):
        assert told["pid"] == process.pid
        assert told["arguments"] == ["-c", *arguments]
        assert told["environment"]["MODEL"] == ENVIRONMENT["MODEL"]
        assert told["environment"]["RSA_STATION_PRIVATE_KEY"] not in ("", SECRET)
        stdout, _ = process.communicate(b"all of it")
        assert json.loads(stdout) == "all of it"
        assert process.returncode == 3
    with started() as (_, other):
        assert told["flags"] == other["flags"]


@pytest.mark.parametrize("name", ["RSA_STATION_PRIVATE_KEY", "PRIVATE_KEY_PASSWORD"])
def test_what_is_held_can_be_read_by_the_program(name: str) -> None:
    with started(name, **ENVIRONMENT) as (_, told):
        assert told["held"] == {name: ENVIRONMENT[name]}


def test_without_a_secret_it_does_not_start_again() -> None:
    with started("MODEL", RSA_STATION_PRIVATE_KEY="") as (process, told):
        assert told["environment"]["RSA_STATION_PRIVATE_KEY"] == ""
        assert b"--held-key" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()


def test_a_secret_for_which_there_is_no_memory_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("entrypoint.linux.secret_memory.store", _fails)
    monkeypatch.setattr("sys.argv", ["pht"])
    environment = hide({"RSA_STATION_PRIVATE_KEY": SECRET, "MODEL": "a"})
    assert environment == {"RSA_STATION_PRIVATE_KEY": HeldValue(None), "MODEL": "a"}
    settings = KeySettings(paths=Paths(Path("/nowhere")), variables=environment)
    with pytest.raises(SystemFailure) as raised:
        load_station_key(settings)
    assert raised.value.code == "key-not-held"


def _fails(_: bytes) -> int:
    raise OSError(errno.ENOSYS, "not there")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of the program")
@pytest.mark.parametrize("program", [PROGRAM, PROGRAM.replace("hide(", "(")])
def test_no_process_finds_it_in_memory_or_environment(program: str) -> None:
    is_hidden = program == PROGRAM
    with started(program=program, **ENVIRONMENT) as (process, _):
        environ = Path(f"/proc/{process.pid}/environ").read_bytes()
        everything = memory_of(process.pid)
    assert b"of the train" in environ
    assert b"of the train" in everything
    for secret in (SECRET[:64].encode(), os.fsencode(ENVIRONMENT["PRIVATE_KEY_PASSWORD"])):
        assert (secret not in environ, secret not in everything) == (is_hidden, is_hidden)

"""How the program starts and exits, in processes of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import reference
from tests.station import REPOSITORY


def start(*arguments: str, stdout: int = subprocess.PIPE) -> "subprocess.CompletedProcess[bytes]":
    """Run the program as a desk does, with its stdout buffered."""
    command = [sys.executable, "-m", "entrypoint", *arguments]
    env = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, cwd=REPOSITORY, env=env, stdout=stdout, stderr=subprocess.PIPE)


def test_a_reader_who_has_left_does_not_change_the_exit_status() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = start("help", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", [["help"], ["export", "--output", "-"]], ids=" ".join)
def test_a_full_disk_below_stdout_is_reported_once(arguments: list[str], tmp_path: Path) -> None:
    reference.lay_out(2, tmp_path)
    root = ["--root", str(tmp_path)] if len(arguments) > 1 else []
    with open("/dev/full", "wb") as full:
        done = start(*arguments, *root, stdout=full.fileno())
    assert done.returncode == 74
    assert b"Exception ignored" not in done.stderr

"""How the command is found and started, what it inherits, and how its end is reported."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.station import PATIENCE_S, REPOSITORY
from tests.supervised import Report
from tests.unit.child.starter import Starter, printed


@pytest.mark.parametrize("status", [0, 1, 77, 124, 255])
def test_the_status_of_the_train_is_passed_through(anywhere: Starter, status: int) -> None:
    report = anywhere("sh", "-c", f"exit {status}").report()
    assert report == Report(status, "EXITED", None, None, [], True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, 40])
def test_a_train_that_dies_of_a_signal_has_128_more_as_status(
    anywhere: Starter, number: int
) -> None:
    report = anywhere.python(f"import os; os.kill(os.getpid(), {int(number)})").report()
    assert report == Report(128 + number, "SIGNALLED", number, None, [], True)


def test_a_command_that_does_not_exist(anywhere: Starter, tmp_path: Path) -> None:
    assert anywhere(str(tmp_path / "absent")).report().reason == "NOT_FOUND"
    report = anywhere("pht-no-such-command").report()
    assert report == Report(127, "NOT_FOUND", None, None, [], True)


@pytest.mark.parametrize("kind", ["without x bit", "unknown format", "folder", "below a file"])
def test_a_command_that_cannot_be_executed(starter: Starter, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "train"
    if kind == "folder":
        path.mkdir()
    else:
        path.write_text("no shebang\n")
        path.chmod(0o644 if kind == "without x bit" else 0o755)
    report = starter(str(path / "x" if kind == "below a file" else path)).report()
    assert report == Report(126, "NOT_EXECUTABLE", None, None, [], True)


def test_the_command_is_looked_up_in_its_own_path(starter: Starter, tmp_path: Path) -> None:
    for name, mode in (("unusable", 0o644), ("good", 0o755), ("later", 0o755)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pht-train").write_text(f"#!/bin/sh\necho {name}\n")
        (tmp_path / name / "pht-train").chmod(mode)
    (tmp_path / "folder" / "pht-train").mkdir(parents=True)
    folders = ["absent", "unusable/pht-train", "folder", "unusable", "good", "later"]
    train = starter("pht-train", path=":".join(str(tmp_path / folder) for folder in folders))
    assert train.report().status == 0
    assert train.output() == "good"


@pytest.mark.parametrize("last", ["absent", "file"])
def test_a_command_that_is_found_but_cannot_be_executed_is_not_absent(
    starter: Starter, tmp_path: Path, last: str
) -> None:
    (tmp_path / "pht-train").write_text("no x bit\n")
    (tmp_path / "file").touch()
    report = starter("pht-train", path=f"{tmp_path}:{tmp_path / last}").report()
    assert report == Report(126, "NOT_EXECUTABLE", None, None, [], True)


# What the command inherits


def test_stdin_and_stdout_belong_to_the_train(starter: Starter) -> None:
    train = starter.start(starter.order("tr", "a-z", "A-Z"), stdin=subprocess.PIPE)
    assert train.process.communicate(b"lung\n", PATIENCE_S)[0] == b"LUNG\n"


def test_no_other_file_is_open_in_the_train(anywhere: Starter, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as secret:
        code = "import os; print(*[fd for fd in range(3, 256) if os.path.exists(f'/dev/fd/{fd}')])"
        order = anywhere.order(sys.executable, "-c", code)
        train = anywhere.start(order, pass_fds=[secret.fileno()])
        assert train.report().status == 0
        assert train.output() == ""


def test_the_train_blocks_and_ignores_no_signal(anywhere: Starter) -> None:
    train = anywhere("cat", "/proc/self/status")
    assert train.report().status == 0
    facts = dict(line.split(":\t") for line in train.output().splitlines())
    # Two signals belong to the C library: whoever started the tests may have ignored them.
    blocked, ignored = (int(facts[name], 16) & ~(0b11 << 31) for name in ("SigBlk", "SigIgn"))
    assert (blocked, ignored) == (0, 0)


def test_the_train_stays_in_the_process_group_of_the_runner(starter: Starter) -> None:
    train = starter.python("import os; print(os.getpgrp())")
    group = os.getpgid(train.process.pid)
    assert train.report().status == 0
    assert int(train.output()) == group


# Before the command


def test_a_stop_just_before_the_start_is_not_lost(tmp_path: Path) -> None:
    code = f"""
import os, signal
from entrypoint.process import child
from entrypoint.process.stop import StopRequest, Stopped
from tests.supervised import unrestricted
signal.signal(signal.SIGTERM, signal.SIG_DFL)
with StopRequest() as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    try:
        command = ["touch", {str(tmp_path / "ran")!r}]
        child.run(command, env={{}}, timeout=None, stop=stop, sandbox=unrestricted())
    except Stopped as stopped:
        print(stopped.signal.name)
"""
    assert printed(code) == b"SIGTERM\n"
    assert not (tmp_path / "ran").exists()


def test_what_fails_before_the_command_is_not_its_fault(tmp_path: Path) -> None:
    code = f"""
from entrypoint.errors import SystemFailure
from entrypoint.process import child
from entrypoint.process import start
from entrypoint.process.stop import StopRequest
from tests.supervised import unrestricted

def refuse(parent):
    raise PermissionError(1, "as a profile of seccomp does")

start.die_with = refuse
with StopRequest() as stop:
    try:
        command = ["touch", {str(tmp_path / "ran")!r}]
        child.run(command, env={{}}, timeout=None, stop=stop, sandbox=unrestricted())
    except SystemFailure as failure:
        print(failure.code, failure.status)
"""
    assert printed(code) == b"train-not-prepared 71\n"
    assert not (tmp_path / "ran").exists()


PREPARES = """
import os, signal
from entrypoint.process import child
from entrypoint.process import start
from tests.supervised import unrestricted

number = signal.SIGUSR1
signal.signal(number, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, {number})
os.kill(os.getpid(), number)
start._prepare(os.getppid(), child._handled({number}), unrestricted())
"""


def test_a_signal_that_comes_before_the_exec_ends_the_train_as_any_program() -> None:
    done = subprocess.run([sys.executable, "-c", PREPARES], cwd=REPOSITORY, check=False)
    assert done.returncode == -signal.SIGUSR1

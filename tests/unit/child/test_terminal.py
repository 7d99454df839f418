"""Runner and train on one terminal."""

import signal
import sys
import termios
from pathlib import Path

import pytest

from tests.supervised import Report
from tests.terminal import Terminal
from tests.unit.child.starter import Starter, counted, counting

JOB_SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
if os.WIFSTOPPED(os.waitpid(job, os.WUNTRACED)[1]):
    print("suspended", flush=True)
os.killpg(job, signal.SIGCONT)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(job, 0)[1]))
"""
"""A minimal shell with job control: a job gets the terminal, and goes on when it was suspended."""


def test_the_train_reads_from_the_terminal(starter: Starter, terminal: Terminal) -> None:
    train = starter.start(
        starter.order("sh", "-c", "read line; echo got $line"), **terminal.streams()
    )
    terminal.type(b"lung\n")
    terminal.wait_for(b"got lung")
    assert train.report().status == 0


@pytest.mark.parametrize(("key", "name"), [(b"\x03", "SIGINT"), (b"\x1c", "SIGQUIT")])
def test_a_key_that_sends_a_signal_reaches_the_train_once(
    starter: Starter, terminal: Terminal, tmp_path: Path, key: bytes, name: str
) -> None:
    number = getattr(signal, name)
    train = starter.start(counting(starter, tmp_path, name), **terminal.streams())
    terminal.wait_for(b"ready")
    terminal.type(key)
    assert train.report() == Report(128 + number, "STOPPED", number, number, [], True)
    assert counted(tmp_path) == {number: 1}


def test_a_changed_window_size_reaches_the_train_once(
    starter: Starter, terminal: Terminal, tmp_path: Path
) -> None:
    train = starter.start(counting(starter, tmp_path, "SIGWINCH"), **terminal.streams())
    terminal.wait_for(b"ready")
    termios.tcsetwinsize(terminal.master, (10, 20))
    assert train.report() == Report(0, "EXITED", None, None, [], True)
    assert counted(tmp_path) == {signal.SIGWINCH: 1}


def test_a_hang_up_of_the_terminal_reaches_the_train_once(
    starter: Starter, terminal: Terminal, tmp_path: Path
) -> None:
    train = starter.start(counting(starter, tmp_path, "SIGHUP"), **terminal.streams())
    terminal.wait_for(b"ready")
    terminal.close()
    assert train.report() == Report(129, "STOPPED", signal.SIGHUP, signal.SIGHUP, [], True)
    assert counted(tmp_path) == {signal.SIGHUP: 1}


def test_job_control_stops_and_continues_runner_and_train(
    starter: Starter, terminal: Terminal
) -> None:
    order = starter.order("sh", "-c", "echo ready; read line; echo got $line")
    shell = starter.start(order, before=(sys.executable, "-c", JOB_SHELL), **terminal.streams())
    terminal.wait_for(b"ready")
    terminal.type(b"\x1a")
    terminal.wait_for(b"suspended")
    terminal.type(b"lung\n")
    terminal.wait_for(b"got lung")
    assert shell.report() == Report(0, "EXITED", None, None, [], True)

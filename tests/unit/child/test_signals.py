"""Signals that are passed on to the train, and requests to stop it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.strace import Call, Strace, Unavailable
from tests.supervised import Report
from tests.unit.child.starter import Starter, counted, counting, without_right_to_kill

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGALRM", "SIGRTMAX"])
def test_a_signal_is_passed_on_once(starter: Starter, tmp_path: Path, name: str) -> None:
    number = getattr(signal, name)
    train = starter.start(counting(starter, tmp_path, name))
    train.wait_for("ready")
    train.send(number)
    assert train.report() == Report(0, "EXITED", None, None, [], True)
    assert counted(tmp_path) == {number: 1}


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_a_stop_request_is_passed_on_and_noted(starter: Starter, name: str) -> None:
    number = getattr(signal, name)
    train = starter("sh", "-c", "echo ready; exec sleep 600")
    train.wait_for("ready")
    train.send(number)
    assert train.report() == Report(128 + number, "STOPPED", number, number, [], True)


@pytest.mark.parametrize(("own", "reported"), [(3, 3), (0, 128 + signal.SIGTERM)])
def test_a_train_that_is_stopped_never_counts_as_successful(
    starter: Starter, own: int, reported: int
) -> None:
    train = starter("sh", "-c", f"trap 'exit {own}' TERM; echo ready; while :; do sleep 0.05; done")
    train.wait_for("ready")
    train.send(signal.SIGTERM)
    report = train.report()
    assert (report.status, report.reason) == (reported, "STOPPED")


def test_a_train_that_does_not_stop_is_killed_after_its_grace(starter: Starter) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True);"
    train = starter.python(f"{code} time.sleep(600)", grace=0.5)
    train.wait_for("ready")
    begin = time.monotonic()
    train.send(signal.SIGTERM)
    report = train.report()
    assert report == Report(137, "STOPPED", signal.SIGTERM, signal.SIGTERM, [], True)
    assert time.monotonic() - begin >= 0.5


def test_repeated_requests_do_not_prolong_the_grace(starter: Starter) -> None:
    code = "trap '' TERM; while :; do kill -TERM $PPID; sleep 0.05; done"
    report = starter("sh", "-c", code, grace=0.5).report()
    assert report == Report(137, "STOPPED", signal.SIGTERM, signal.SIGTERM, [], True)


def test_a_train_that_became_another_user_need_not_take_signals(starter: Starter) -> None:
    code = "import os, time; os.setuid(1000); print('ready', flush=True); time.sleep(0.5)"
    order = starter.order(sys.executable, "-c", code)
    train = starter.start(order, before=without_right_to_kill())
    train.wait_for("ready")
    train.send(signal.SIGUSR1)
    assert train.report() == Report(0, "EXITED", None, None, [], True)


def test_the_status_is_known_although_ends_of_children_were_ignored(starter: Starter) -> None:
    report = starter("sh", "-c", "exit 7", ignored=(signal.SIGCHLD,)).report()
    assert report == Report(7, "EXITED", None, None, [], True)


def test_a_signal_that_was_ignored_from_the_start_stays_ignored(starter: Starter) -> None:
    code = "import signal, sys; print('ready', flush=True); sys.stdin.read(); print("
    code += "signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    order = starter.order(sys.executable, "-c", code, ignored=(signal.SIGHUP,))
    train = starter.start(order, stdin=subprocess.PIPE)
    train.wait_for("ready")
    train.send(signal.SIGHUP)
    assert train.process.stdin is not None
    train.process.stdin.close()
    assert train.report() == Report(0, "EXITED", None, None, [], True)
    assert train.output() == "True"


def test_a_wait_that_was_interrupted_and_is_over_brings_no_signal(starter: Starter) -> None:
    try:
        strace = Strace.find()
    except Unavailable as reason:
        pytest.skip(str(reason))
    wait = Call("rt_sigtimedwait", 1, "", succeeded=False)
    over = strace.injecting(wait, f"error=EINTR:delay_exit={1_500_000}")
    report = starter.start(starter.order("sleep", "2"), before=(*over,)).report()
    assert report == Report(0, "EXITED", None, None, [], True)

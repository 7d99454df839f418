"""Waiting for signals that are blocked."""

import signal
import subprocess
import sys

import pytest

from tests.station import REPOSITORY

if sys.platform != "linux":
    pytest.skip("the kernel is asked on Linux only", allow_module_level=True)

WAITS = """
import os, signal, time
from entrypoint.process import signals
blocked = {signal.SIGUSR1, signal.SIGRTMAX}
signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
"""


def shown(code: str) -> str:
    """Run code in a process of its own, whose signals it may block; return what it prints."""
    command = [sys.executable, "-c", WAITS + code]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("name", ["SIGUSR1", "SIGRTMAX"])
def test_a_signal_that_has_come(name: str) -> None:
    code = f"""
os.kill(os.getpid(), signal.{name})
received = signals.wait(blocked, 30)
print(received.number, received.code)
"""
    assert shown(code) == f"{int(getattr(signal, name))} 0\n"


def test_a_signal_that_comes_later() -> None:
    code = """
if os.fork() == 0:
    time.sleep(0.2)
    os.kill(os.getppid(), signal.SIGUSR1)
    os._exit(0)
print(signals.wait(blocked, 30).number)
"""
    assert shown(code) == f"{int(signal.SIGUSR1)}\n"


def test_no_signal_in_time() -> None:
    code = """
before = time.monotonic()
print(signals.wait(blocked, 0.3))
assert 0.3 <= time.monotonic() - before < 10
"""
    assert shown(code) == "None\n"


def test_another_signal_only_interrupts() -> None:
    code = """
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.1)
print(signals.wait(blocked, 1))
"""
    assert shown(code) == "None\n"

"""Runs a function in a process of its own and returns its answer.

What the function has read, such as a private key, is gone from memory with that process.
"""

import json
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from entrypoint.errors import SystemFailure
from entrypoint.linux.prctl import die_with
from entrypoint.process import signals
from entrypoint.process.stop import STOP_SIGNALS, StopRequest

_WAKE_S = 1.0
"""Longest sleep while the other process works."""


def ask(function: Callable[[], Mapping[str, Any]], stop: StopRequest) -> dict[str, Any] | None:
    """Return what a function returns in a forked process; None if that ended without an answer.

    The process dies with the caller. It has the caller's signal handlers, and a request to stop is
    passed on to it.

    Args:
        function: returns what JSON can hold; an exception that it raises is no answer.
        stop: notes a request that arrives meanwhile.

    Raises:
        SystemFailure: no process can be started.
    """
    caller = os.getpid()
    answer = os.memfd_create("answer")
    try:
        with signals.held({*STOP_SIGNALS, signal.SIGCHLD}) as previous_mask:
            try:
                pid = os.fork()
            except OSError as error:
                raise no_process(error) from error
            if pid == 0:
                _answer(function, answer, caller, previous_mask)
            status = _wait(pid, stop)
        with open(answer, "rb", closefd=False) as file:
            return json.load(file) if status == 0 else None
    finally:
        os.close(answer)


def _answer(
    function: Callable[[], Mapping[str, Any]], answer: int, caller: int, mask: set[int]
) -> NoReturn:
    """Run in the forked process: write the answer and exit, with status 0 if it is complete."""
    status = 1
    try:
        die_with(caller)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        text = json.dumps(function())
        with open(answer, "w+", encoding="utf-8", closefd=False) as file:
            file.write(text)
        os.lseek(answer, 0, os.SEEK_SET)
        status = 0
    finally:
        os._exit(status)


def _wait(pid: int, stop: StopRequest) -> int:
    """Wait for a process, pass requests to stop on to it, and return its exit code."""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        received = signals.wait({*STOP_SIGNALS, signal.SIGCHLD}, _WAKE_S)
        if received and received.number != signal.SIGCHLD:
            stop.request(received.number)
            os.kill(pid, received.number)


def no_process(error: OSError) -> SystemFailure:
    """Return the error for a fork that has failed."""
    return SystemFailure(
        "no-process",
        f"no process can be started: {os.strerror(error.errno or 0)}",
        hint="free memory or raise the limit of processes, then start again",
        retry=True,
    )

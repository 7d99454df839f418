"""Runs the program with its opener or closer under strace, which attaches to it when it begins.

Used as `python -m tests.faults.traced_parts TRACERS ARGUMENT ...`. TRACERS is a JSON object: for a
part of the visit the beginning of a command that traces it. The parts are counted from "0", in
their order: the opener, the closer, and one that restores the old state once another was killed.
A part that gets SIGUSR1 kills the supervisor.
"""

import json
import os
import runpy
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from types import FrameType
from typing import Any
from unittest.mock import patch

from entrypoint.linux.prctl import PR_SET_DUMPABLE, prctl
from entrypoint.process import fork
from entrypoint.process.stop import StopRequest

_PR_SET_PTRACER = 0x59616D61
_ANY = 2**64 - 1

Part = Callable[[], Mapping[str, Any]]


def trace_this_process(tracer: list[str]) -> None:
    """Start the tracer, which ends with this process, and return once it has attached."""
    prctl(PR_SET_DUMPABLE, 1)
    with suppress(OSError):  # a kernel without Yama restricts nothing
        prctl(_PR_SET_PTRACER, _ANY)
    told, tell = os.pipe()
    traced = os.getpid()
    if os.fork() == 0:
        if os.fork() == 0:  # an orphan: no child of a part may be left when it ends
            os.dup2(tell, 2)
            os.execv(tracer[0], [*tracer, f"--attach={traced}"])
        os._exit(0)
    os.wait()
    os.close(tell)
    with open(told) as messages:
        message = messages.readline()
    assert message == f"{tracer[0]}: Process {traced} attached\n", message


def kill_supervisor(_: int, __: FrameType | None) -> None:
    """Kill the process that waits for this one, and wait to die with it."""
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()


def main() -> None:
    """Run the program."""
    tracers: dict[str, list[str]] = json.loads(sys.argv.pop(1))
    numbers = count()

    def ask(part: Part, stop: StopRequest) -> dict[str, Any] | None:
        tracer = tracers.get(f"{next(numbers)}")

        def traced() -> Mapping[str, Any]:
            if tracer:
                signal.signal(signal.SIGUSR1, kill_supervisor)
                trace_this_process(tracer)
            return part()

        return fork.ask(traced, stop)

    with patch("entrypoint.visit.parts.ask", ask):
        runpy.run_module("entrypoint", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

"""Runs one command under `entrypoint.process.child` in a process of its own and reports its end.

The runner reaps every child of the process that it runs in, so no test process may call it. Started
as `python -m tests.supervised ORDER`, ORDER being the JSON of `Order`; the report is the JSON of
`Report`.
"""

import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest.mock import patch

from entrypoint.errors import SystemFailure
from entrypoint.linux.capabilities import held
from entrypoint.process import child
from entrypoint.process.credentials import Credentials
from entrypoint.process.sandbox import Sandbox
from entrypoint.process.stop import STOP_SIGNALS, Stopped, StopRequest


def unrestricted() -> Sandbox:
    """Return a sandbox that leaves a process the user and the capabilities of this one."""
    credentials = Credentials(
        uid=os.getuid(), gid=os.getgid(), groups=tuple(os.getgroups()), keeps=held()
    )
    return Sandbox(credentials=credentials)


MARK = "PHT_TEST_MARK"
"""A variable of the train's environment by which all its descendants are found."""


@dataclass(frozen=True)
class Order:
    """A command to run.

    Attributes:
        report: where the report is written; None for stderr.
        ignored: signals that are ignored when the runner starts, as by `nohup`.
        path: the PATH of the train.
    """

    command: list[str]
    mark: str
    report: str | None
    timeout: float | None = None
    grace: float = 5.0
    reap_limit: float = 10.0
    ignored: tuple[int, ...] = ()
    path: str = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Report:
    """How the command ended.

    Attributes:
        status: of the train; None if it was not run to its end.
        reason: the name of the reason, or the code or signal of the refusal.
        signal: as in `Ended`.
        stop: the stop signal that was noted.
        left: processes of the train that still existed when `run` returned, zombies included.
        restored: whether mask and handlers are as they were before.
    """

    status: int | None
    reason: str
    signal: int | None
    stop: int | None
    left: list[int]
    restored: bool


def main() -> None:
    """Carry out the order in argv."""
    order = Order(**json.loads(sys.argv[1]))
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)  # whatever the tests themselves were started with
    for ignored in order.ignored:
        signal.signal(ignored, signal.SIG_IGN)
    with patch.multiple(child, STOP_GRACE_S=order.grace, REAP_LIMIT_S=order.reap_limit):
        report = json.dumps(asdict(carry_out(order)))
    if order.report is None:
        print(report, file=sys.stderr, flush=True)
    else:
        Path(order.report).write_text(report)


def carry_out(order: Order) -> Report:
    """Run the command, then look for processes and changed signal settings."""
    env = {"PATH": order.path, MARK: order.mark}
    status, number = None, None
    with StopRequest() as stop:
        before = _signal_state()
        try:
            ended = child.run(
                order.command, env=env, timeout=order.timeout, stop=stop, sandbox=unrestricted()
            )
            status, reason, number = ended.status, ended.reason.name, ended.signal
        except SystemFailure as error:
            reason = error.code
        except child.TrainStillRunning:
            reason = "train-still-running"
        except Stopped as stopped:
            reason = stopped.signal.name
        restored = _signal_state() == before
    left = [*processes_of(order.mark), *_zombies()]
    return Report(status, reason, number, stop.signal, left, restored)


def processes_of(mark: str) -> list[int]:
    """Return the running processes that a train with this mark has started, without zombies."""
    wanted = f"{MARK}={mark}".encode()
    return [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and wanted in _environ(folder).split(b"\0")
    ]


def _zombies() -> list[int]:
    """Return a child that has ended and was not reaped, if there is one."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return []
    return [found.si_pid] if found else []


def _environ(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""  # it has just ended


def _signal_state() -> object:
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    return handlers, signal.pthread_sigmask(signal.SIG_BLOCK, ())


if __name__ == "__main__":
    main()

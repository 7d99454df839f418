"""Runs the train's command as a supervised child process.

The runner is the init of the train: it passes signals on, reaps orphans, and lets nothing that the
train started outlive it, since a process left behind could change results while they are hashed.

The train stays in the runner's process group, so both share the terminal's job control: the kernel
stops (Ctrl-Z) and continues the whole group.
"""

import contextlib
import math
import os
import signal
import time
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from entrypoint.errors import SystemFailure
from entrypoint.limits import REAP_LIMIT_S, STOP_GRACE_S
from entrypoint.linux.prctl import PR_SET_CHILD_SUBREAPER, prctl
from entrypoint.process import signals
from entrypoint.process.sandbox import Sandbox
from entrypoint.process.start import start
from entrypoint.process.stop import STOP_SIGNALS, StopRequest

_PROGRAM_ERRORS = {
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGSEGV,
    signal.SIGSYS,
    signal.SIGTRAP,
}
_JOB_CONTROL = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_NOT_FORWARDED = _PROGRAM_ERRORS | _JOB_CONTROL | {signal.SIGCHLD, signal.SIGKILL, signal.SIGSTOP}

_SI_KERNEL = 128  # si_code of a signal from the kernel, such as for a key of the terminal
_CHILDREN = Path("/proc/thread-self/children")

_WAKE_S = 1.0  # longest sleep while the train runs; then the next batch is reaped
_REAP_BATCH = 1000  # processes; a train that forks without end must not hold up its own timeout
_KILL_ROUND_S = 0.01  # longest sleep between two rounds of killing


class TrainStillRunning(Exception):
    """A process of the train cannot be killed and may go on writing to the train's files.

    What to do then depends on the visit, which makes the error to report.
    """


class Reason(Enum):
    """Why the train's command ended."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMED_OUT = "timed out"
    STOPPED = "stopped"
    NOT_FOUND = "not found"
    NOT_EXECUTABLE = "not executable"


class Ended(NamedTuple):
    """How the train's command ended.

    Attributes:
        status: 0-255 as a shell counts: 124 timed out, 126 not executable, 127 not found, 128+n
            ended by signal n. Never 0 for a train that was stopped.
        reason: why it ended.
        signal: that killed it; if it was STOPPED, the one that asked for it.
    """

    status: int
    reason: Reason
    signal: int | None = None


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    timeout: float | None,
    stop: StopRequest,
    sandbox: Sandbox,
) -> Ended:
    """Run the train's command; nothing that it started is left when this returns.

    The calling process must have one thread and, unless it is PID 1, no other children: every
    child of it counts as the train's. As PID 1 it may end every other process of the container,
    those of `docker exec` too. Descendants that lose their parent keep coming to the calling
    process after this returns.

    Args:
        command: program (looked up in the PATH of `env`) and arguments; inherits the standard
            streams.
        env: the whole environment of the command.
        timeout: seconds until it is told to end, or None.
        stop: notes a request that arrives while the command runs; it is forwarded too.
        sandbox: restricts the command.

    Raises:
        Stopped: a stop was requested before the start; nothing was run.
        SystemFailure: no process can be started or supervised.
        TrainStillRunning: a process of the train survives SIGKILL.
    """
    forwarded = _forwarded()
    with signals.held(forwarded | {signal.SIGCHLD}):
        stop.check()
        _become_reaper()
        try:
            train = _Train(start(command, env, _handled(forwarded), sandbox))
        except FileNotFoundError:
            return Ended(127, Reason.NOT_FOUND)
        except OSError:
            return Ended(126, Reason.NOT_EXECUTABLE)
        watch = _Watch(train, timeout, stop)
        try:
            watch.until_end(forwarded)
        finally:
            _end_all(train)
        return watch.result()


def _forwarded() -> set[int]:
    """Return the signals to forward: as tini does, but none that is ignored or for job control."""
    candidates = signal.valid_signals() - _NOT_FORWARDED
    return {number for number in candidates if signal.getsignal(number) is not signal.SIG_IGN}


def _handled(numbers: Collection[int]) -> list[int]:
    """Return the signals among `numbers` that do not have their default action."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_DFL]


def _become_reaper() -> None:
    """Make orphans of the train children of this process, as they are of PID 1 anyway."""
    if os.getpid() == 1:
        return
    if not _CHILDREN.exists():
        raise SystemFailure(
            "no-process-list",
            f"the kernel does not offer {_CHILDREN}, so the train could leave processes behind",
            hint="run the train in a container without --init, where the runner is PID 1",
        )
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        return
    raise SystemFailure(
        "foreign-children",
        "the runner already has child processes, which would be taken for the train's",
        hint="start pht as a process of its own, not with exec from a shell that has jobs",
    )


class _Train:
    """The process of the train's command.

    Attributes:
        pid: its process id, which is not reused before it is reaped.
        reaped: whether it has ended and was reaped.
        code: its exit code then, as `os.waitstatus_to_exitcode` returns it.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.reaped = False
        self.code = 0

    def has_ended(self) -> bool:
        """Return whether it has ended, and reap it if it has."""
        if not self.reaped:
            self.note(*os.waitpid(self.pid, os.WNOHANG))
        return self.reaped

    def note(self, pid: int, status: int) -> None:
        """Record a result of `os.waitpid`, unless it is about another process."""
        if pid == self.pid:
            self.reaped = True
            self.code = os.waitstatus_to_exitcode(status)


class _Watch:
    """Watches the running train until it has ended or its grace period is over."""

    def __init__(self, train: _Train, timeout: float | None, stop: StopRequest) -> None:
        self._train = train
        self._stop = stop
        self._told_to_end: Reason | None = None
        self._deadline = math.inf if timeout is None else time.monotonic() + timeout

    def until_end(self, forwarded: Collection[int]) -> None:
        """Forward signals and reap until the train has ended or its grace period is over."""
        awaited = {*forwarded, signal.SIGCHLD}
        while not self._train.has_ended():
            left = self._deadline - time.monotonic()
            if left <= 0 and self._told_to_end:
                return
            if left <= 0:
                self._grant_grace(Reason.TIMED_OUT)
                self._send(signal.SIGTERM)
                continue
            received = signals.wait(awaited, min(left, _WAKE_S))
            _reap(self._train)
            if received and received.number != signal.SIGCHLD:
                self._receive(received)

    def result(self) -> Ended:
        """Return how the train ended, after it was reaped."""
        code = self._train.code
        status, killed_by = (code, None) if code >= 0 else (128 - code, -code)
        if self._told_to_end is Reason.TIMED_OUT:
            return Ended(124, Reason.TIMED_OUT, killed_by)
        asked_by = self._stop.signal
        # The terminal signals the train too, which may have ended before we noticed.
        stopped = self._told_to_end is Reason.STOPPED or killed_by == asked_by
        if asked_by is not None and stopped:
            return Ended(status or 128 + asked_by, Reason.STOPPED, asked_by)
        return Ended(status, Reason.EXITED if killed_by is None else Reason.SIGNALLED, killed_by)

    def _receive(self, received: signals.Received) -> None:
        number = received.number
        if number in STOP_SIGNALS:
            self._stop.request(number)
        if self._train.reaped:
            return  # it ended by itself before it could be told
        if number in STOP_SIGNALS:
            self._grant_grace(Reason.STOPPED)
        if not _reached_the_group(received):
            self._send(number)

    def _grant_grace(self, reason: Reason) -> None:
        if self._told_to_end is None:
            self._told_to_end = reason
            self._deadline = time.monotonic() + STOP_GRACE_S

    def _send(self, number: int) -> None:
        with contextlib.suppress(PermissionError):  # of a train that has become another user
            os.kill(self._train.pid, number)


def _reached_the_group(received: signals.Received) -> bool:
    """Return whether the terminal has sent a signal to the train as well.

    It sends to the whole foreground group, but a hang-up only to the leader of the session.
    """
    if received.number in {signal.SIGHUP, signal.SIGCONT} and os.getsid(0) == os.getpid():
        return False
    return received.code == _SI_KERNEL


def _reap(train: _Train) -> bool:
    """Collect ended processes; return True when there is no child any more."""
    for _ in range(_REAP_BATCH):
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            return False
        train.note(pid, status)
    return False


def _end_all(train: _Train) -> None:
    """Kill and reap everything that the train has started, and the train itself if it runs.

    In rounds: children of a killed process become our own, and a process that was forked during
    a round is killed in a later one.
    """
    deadline = time.monotonic() + REAP_LIMIT_S
    while not _reap(train):
        if time.monotonic() > deadline:
            raise TrainStillRunning
        _kill_children()
        signals.wait({signal.SIGCHLD}, _KILL_ROUND_S)


def _kill_children() -> None:
    if os.getpid() == 1:
        # All other processes of the container at once; elsewhere it would be all of the machine.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
        return
    for pid in map(int, _CHILDREN.read_text().split()):
        with contextlib.suppress(ChildProcessError, PermissionError):
            # Raises unless it is our child: /proc may show the ids of another namespace. The id of
            # a child is not reused before we reap it.
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            os.kill(pid, signal.SIGKILL)

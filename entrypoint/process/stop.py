"""Requests to stop, which arrive as signals.

PID 1 of a container does not die of a signal that it does not handle: the kernel drops it, and the
engine kills the container ten seconds later. So a handler notes the request, and long work checks
for it wherever it can end early.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""Signals by which engines, terminals and people end a program."""


class Stopped(Exception):
    """The work ended early because a stop was requested.

    Attributes:
        signal: the first signal that asked for it.
    """

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"stopped by {number.name}")
        self.signal = number


class StopRequest:
    """Notes a request to stop while its `with` block runs.

    A signal that was ignored when the program was started (`nohup`, a job in the background of a
    script) stays ignored. Only the main thread may enter the block.

    Attributes:
        signal: the first signal that asked for it, or None.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}
        self._at_once = False

    def __enter__(self) -> Self:
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)  # blocked by `__main__`
        return self

    def __exit__(self, *_: object) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    def request(self, number: int) -> None:
        """Note a signal that was received in another way than by a handler."""
        if self.signal is None:
            self.signal = signal.Signals(number)

    def check(self) -> None:
        """Raise Stopped if a stop was requested."""
        if self.signal is not None:
            raise Stopped(self.signal)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise Stopped at any point of the block, whose work must need no cleaning up.

        Python resumes a blocking system call after a signal, unless the handler raises.
        """
        self._at_once = True
        try:
            self.check()
            yield
        finally:
            self._at_once = False

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self.request(number)
        if self._at_once:
            self.check()

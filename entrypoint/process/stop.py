"""A request to stop, which arrives as a signal.

PID 1 of a container does not die of a signal that it does not handle: the kernel drops it, and the
engine kills the container ten seconds later. So the request is only noted when it arrives, and
long work asks for it wherever it can be left off.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""What engines, terminals and people send to end a program."""


class Stopped(Exception):
    """The work was left off because a stop was requested.

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
        signal: the first signal that asked for it, None before.
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
        """Note a request that was received in another way than by the handlers."""
        if self.signal is None:
            self.signal = signal.Signals(number)

    def check(self) -> None:
        """Raise Stopped if a stop was requested: call it where work can be left off."""
        if self.signal is not None:
            raise Stopped(self.signal)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise Stopped anywhere in the block, for work that leaves nothing to put right.

        A system call that waits is taken up again after a signal, unless its handler raises.
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

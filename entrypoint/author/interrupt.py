"""Turns signals that end a program into KeyboardInterrupt, so that a command can clean up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)  # Windows has no SIGHUP
]


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the first of these signals raise KeyboardInterrupt in the block; ignore later ones.

    A later one would interrupt the removal of plaintext and processes. A signal that was ignored
    when the program was started (`nohup`) stays ignored. Only the main thread may enter the block.
    """
    previous: dict[signal.Signals, Any] = {
        number: handler
        for number in _SIGNALS
        if (handler := signal.getsignal(number)) is not signal.SIG_IGN
    }

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in previous:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    try:
        for number in previous:
            signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

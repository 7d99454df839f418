"""Blocks signals and waits for them.

`signal.sigtimedwait` of CPython (3.11 to 3.13) may return any signal, from uninitialised memory,
if a wait was interrupted and its time is over, as by a debugger or when the machine was asleep.
"""

import ctypes
import signal
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from entrypoint.linux.libc import libc

_SET_BYTES = 128  # sigset_t
_INFO_INTS = 32  # siginfo_t


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A signal that has arrived: its number, and its code for how it was sent (sigaction(2))."""

    number: int
    code: int


@contextmanager
def held(numbers: Collection[int]) -> Iterator[set[int]]:
    """Block signals, so that they stay pending until `wait` takes them; yield the previous mask.

    SIGCHLD gets its default action: if it is ignored, the kernel discards exit statuses.
    """
    previous_action = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield {*previous_mask}
    finally:
        signal.signal(signal.SIGCHLD, previous_action)
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)


def wait(numbers: Collection[int], seconds: float) -> Received | None:
    """Return a signal that arrives, or None if none arrives in time (sigtimedwait(2)).

    Args:
        numbers: the signals to wait for, all blocked.
        seconds: longest wait; another signal may interrupt it.
    """
    bits = sum(1 << (number - 1) for number in numbers)
    awaited = bits.to_bytes(8, sys.byteorder).ljust(_SET_BYTES, b"\0")
    info = (ctypes.c_int * _INFO_INTS)()
    whole = int(seconds)
    time = (ctypes.c_long * 2)(whole, int((seconds - whole) * 1e9))
    if libc.sigtimedwait(awaited, info, time) < 0:
        return None
    number, _, code, *_ = info
    return Received(number=number, code=code)

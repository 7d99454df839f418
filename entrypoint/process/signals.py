"""Waiting for a signal.

`signal.sigtimedwait` of CPython (3.11 to 3.13) returns what nobody has filled in where a wait is
interrupted and its time is over, as by a debugger or on a machine that was asleep: any signal.
"""

import ctypes
import sys
from collections.abc import Collection
from dataclasses import dataclass

_libc = ctypes.CDLL(None)

_SET_BYTES = 128  # sigset_t
_INFO_INTS = 32  # siginfo_t


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A signal: its number, and its code, which says how it was sent (sigaction(2))."""

    number: int
    code: int


def wait(numbers: Collection[int], seconds: float) -> Received | None:
    """Return one of some blocked signals, or None if none has come in time (sigtimedwait(2)).

    Args:
        numbers: of the signals.
        seconds: how long to wait at most; less if another signal interrupts that.
    """
    bits = sum(1 << (number - 1) for number in numbers)
    awaited = bits.to_bytes(8, sys.byteorder).ljust(_SET_BYTES, b"\0")
    info = (ctypes.c_int * _INFO_INTS)()
    whole = int(seconds)
    time = (ctypes.c_long * 2)(whole, int((seconds - whole) * 1e9))
    if _libc.sigtimedwait(awaited, info, time) < 0:
        return None
    number, _, code, *_ = info
    return Received(number=number, code=code)

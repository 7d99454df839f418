"""A large file through two processes, so that two cores share the work on it.

Threads would take turns: `cryptography` and `binascii` keep the interpreter's lock while they work.
The second process is a fork that lives for one file. Pieces pass through slots of shared memory,
filled by one side and emptied by the other; a socket carries the length of each filled slot, and
back a byte for each slot that is free again.
"""

import errno
import mmap
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import cycle
from typing import NoReturn

from entrypoint.errors import SystemFailure
from entrypoint.limits import RELAY_SLOT_BYTES, RELAY_SLOTS

_LENGTH_BYTES = 4
_END = bytes(_LENGTH_BYTES)
_FREE = b"."

# How the second process ends; any other status is the errno of an OSError.
_DONE = 0
_REFUSED = 254
_FAILED = 255

_FORKS = sys.platform == "linux"  # elsewhere a fork is missing or unsafe; one process does it all


@contextmanager
def pushing(
    consume: Callable[[Iterable[bytes | memoryview]], None],
) -> Iterator[Callable[[bytes], None]]:
    """Give a function to call with each piece of data; the second process gives them to `consume`.

    At the end of the block it has taken everything. Only on Linux.

    Args:
        consume: each piece is valid until it asks for the next one. What it writes to open files
            counts, if it flushes them; what it changes in memory is lost.

    Raises:
        OSError: `consume` has raised it.
        SystemFailure: the second process was killed.
    """
    slots = _slots()

    def work(channel: socket.socket) -> None:
        consume(_receive(slots, channel))

    with _exit_statuses_kept(), _second_process(work, refusal=None) as channel:
        sender = _Sender(slots, channel)
        yield sender.send
        sender.end()


def pulling(
    pieces: Iterable[bytes], refusal: type[Exception]
) -> AbstractContextManager[Iterable[bytes | memoryview]]:
    """Give the pieces that the second process draws from a generator not yet begun.

    Args:
        pieces: may use open files that nobody else does meanwhile; what it writes to them counts,
            if it flushes them.
        refusal: what the generator may raise besides OSError, and this iterator then does.

    Raises:
        OSError: the generator has raised it.
        SystemFailure: the second process was killed.
    """
    return _pulling(pieces, refusal) if _FORKS else nullcontext(pieces)


@contextmanager
def _pulling(
    pieces: Iterable[bytes], refusal: type[Exception]
) -> Iterator[Iterable[bytes | memoryview]]:
    slots = _slots()

    def work(channel: socket.socket) -> None:
        sender = _Sender(slots, channel)
        for piece in pieces:
            sender.send(piece)
        sender.end()

    with _exit_statuses_kept(), _second_process(work, refusal) as channel:
        yield _receive(slots, channel)


def _slots() -> list[memoryview]:
    memory = memoryview(mmap.mmap(-1, RELAY_SLOTS * RELAY_SLOT_BYTES))
    return [
        memory[start : start + RELAY_SLOT_BYTES]
        for start in range(0, len(memory), RELAY_SLOT_BYTES)
    ]


class _Sender:
    """The side that fills slots."""

    def __init__(self, slots: list[memoryview], channel: socket.socket) -> None:
        self._slots = cycle(slots)
        self._unused = len(slots)
        self._channel = channel

    def send(self, data: bytes) -> None:
        """Hand data over, cut into slots."""
        view = memoryview(data)
        for start in range(0, len(view), RELAY_SLOT_BYTES):
            piece = view[start : start + RELAY_SLOT_BYTES]
            if self._unused:
                self._unused -= 1
            elif not self._channel.recv(1):
                raise BrokenPipeError
            next(self._slots)[: len(piece)] = piece
            self._channel.send(len(piece).to_bytes(_LENGTH_BYTES))

    def end(self) -> None:
        """Say that this was all, and wait until the other side has closed the channel.

        Closed with bytes unread in it, it would be cut on the other side too.
        """
        self._channel.send(_END)
        while self._channel.recv(_LENGTH_BYTES):
            pass


def _receive(slots: list[memoryview], channel: socket.socket) -> Iterator[memoryview]:
    """Yield what is handed over; each piece is valid until the next one is asked for."""
    for slot in cycle(slots):
        length = channel.recv(_LENGTH_BYTES)
        if not length:
            raise BrokenPipeError
        if length == _END:
            return
        yield slot[: int.from_bytes(length)]
        channel.send(_FREE)


@contextmanager
def _second_process(
    work: Callable[[socket.socket], None], refusal: type[Exception] | None
) -> Iterator[socket.socket]:
    """Fork a process that does the work, and give our end of the channel to it."""
    # Each send is one message, as in a datagram, so that a length is never read in parts.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = _fork()
    if pid == 0:
        ours.close()
        _work(work, theirs, refusal)
    theirs.close()
    cut = False
    try:
        with ours:
            yield ours
    except ConnectionError:
        cut = True  # it has ended: its status tells why
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    _raise(_FAILED if cut and status == _DONE else status, refusal)


def _fork() -> int:
    try:
        return os.fork()
    except OSError as error:
        raise SystemFailure(
            "no-process",
            f"no second process can be started for a large file: {os.strerror(error.errno or 0)}",
            hint="free memory or raise the limit of processes, then start again",
            retry=True,
        ) from error


@contextmanager
def _exit_statuses_kept() -> Iterator[None]:
    """Have the kernel keep them where SIGCHLD came ignored, as from some supervisors."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


def _work(
    work: Callable[[socket.socket], None], channel: socket.socket, refusal: type[Exception] | None
) -> NoReturn:
    status = _FAILED
    try:
        work(channel)
        status = _DONE
    except OSError as error:
        status = error.errno or errno.EIO
    except Exception as error:
        if refusal and isinstance(error, refusal):
            status = _REFUSED
    finally:
        os._exit(status)  # nothing of the first process may be flushed or cleaned up here


def _raise(status: int, refusal: type[Exception] | None) -> None:
    if status == _REFUSED and refusal:
        raise refusal
    if 0 < status < _REFUSED:
        raise OSError(status, os.strerror(status))
    if status != _DONE:
        raise SystemFailure(
            "second-process-died",
            "the process that shares the work on large files has ended before its work was done",
            hint="look whether memory ran out, then start again",
            retry=True,
        )

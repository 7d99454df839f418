"""Splits the work on a large file between two processes, to use two cores.

Threads would take turns: `cryptography` and `binascii` hold the interpreter lock while they work.
The second process is a fork that lives for one file. A producer writes pieces of the file into
slots of shared memory, a consumer reads them; one pipe carries the lengths of the contents of each
filled slot, another one a byte back for each slot that is free again.

A part of the work may need no state, so that either side can do it. The producer does it for a
piece while the consumer is behind, and leaves it to the consumer otherwise, so that both stay busy.
"""

import errno
import mmap
import os
import select
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from itertools import cycle
from typing import NamedTuple, NoReturn

from entrypoint.errors import SystemFailure
from entrypoint.files.page_cache import Piece
from entrypoint.limits import SEALED_CHUNK_BYTES

SLOTS = 16
SLOT_BYTES = 2 * SEALED_CHUNK_BYTES  # for a piece and the bytes computed from it

_LENGTH_BYTES = 4
_MESSAGE_BYTES = 2 * _LENGTH_BYTES
_END = b"\xff" * _MESSAGE_BYTES
_FREE = b"."

# Exit statuses of the second process; any other one is the errno of an OSError.
_DONE = 0
_EXPECTED_ERROR = 254
_FAILED = 255

_FORKS = sys.platform == "linux"  # elsewhere fork is missing or unsafe: one process does all


class Item(NamedTuple):
    """A piece of a file, and bytes that have been computed from it already."""

    piece: Piece
    computed: Piece = b""


Precompute = Callable[[Piece], bytes]
"""The stateless part of the work on a piece, see `Stream.precompute`."""


@contextmanager
def consumer_process(
    consume: Callable[[Iterable[Item]], None], precompute: Precompute
) -> Iterator["Sender"]:
    """Yield a Sender whose items a second process feeds to `consume`.

    At the end of the block it has consumed all of them. Only on Linux.

    Args:
        consume: may use each item until it asks for the next one. What it writes to open files and
            flushes is kept; its changes in memory are lost.
        precompute: called by the first process while the second is behind.

    Raises:
        OSError: `consume` has raised it.
        SystemFailure: the second process was killed, or has failed otherwise.
    """
    slots = _shared_slots()

    def work(channel: _Channel) -> None:
        consume(_receive(slots, channel))

    with _default_sigchld(), _second_process(work, expected=None) as channel:
        sender = Sender(slots, channel, precompute)
        yield sender
        sender.end()


def producer_process(
    items: Iterable[Item], precompute: Precompute, expected: type[Exception]
) -> AbstractContextManager[Iterable[Item]]:
    """Yield the items of a generator that runs in a second process.

    Each item is valid until the next one is asked for.

    Args:
        items: a generator that has not started. It may use open files that nobody else uses
            meanwhile; what it writes to them and flushes is kept.
        precompute: called by the second process while the first is behind.
        expected: the exception, besides OSError, that is passed on if the generator raises it.

    Raises:
        OSError: the generator has raised it.
        SystemFailure: the second process was killed, or has failed otherwise.
    """
    return _producer_process(items, precompute, expected) if _FORKS else nullcontext(items)


@contextmanager
def _producer_process(
    items: Iterable[Item], precompute: Precompute, expected: type[Exception]
) -> Iterator[Iterable[Item]]:
    slots = _shared_slots()

    def work(channel: _Channel) -> None:
        sender = Sender(slots, channel, precompute)
        for item in items:
            sender.send(item)
        sender.end()

    with _default_sigchld(), _second_process(work, expected) as channel:
        yield _receive(slots, channel)


def _shared_slots() -> list[memoryview]:
    memory = memoryview(mmap.mmap(-1, SLOTS * SLOT_BYTES))
    return [memory[start : start + SLOT_BYTES] for start in range(0, len(memory), SLOT_BYTES)]


class _Channel:
    """One end of two pipes, which carry short messages to another process and back.

    Messages stay readable after their sender has ended. A pipe takes a short message as a whole
    (pipe(7), "PIPE_BUF"), and returns whole ones if all in it have the same length.

    Args:
        incoming, outgoing: descriptors of the ends of this side.
    """

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._poll = select.poll()
        self._poll.register(incoming, select.POLLIN)

    def close(self) -> None:
        """Close both pipes, which ends the other side's reading and writing."""
        os.close(self._incoming)
        os.close(self._outgoing)

    def send(self, message: bytes) -> None:
        """Send a message; raise BrokenPipeError if the other side has ended."""
        os.write(self._outgoing, message)

    def receive(self, limit: int) -> bytes:
        """Return at most `limit` bytes that have arrived; wait if there are none.

        Raises:
            BrokenPipeError: the other side has ended, and all its messages were received.
        """
        received = os.read(self._incoming, limit)
        if not received:
            raise BrokenPipeError
        return received

    def is_ready(self) -> bool:
        """Return whether `receive` would return at once."""
        return bool(self._poll.poll(0))


def _channel() -> tuple[_Channel, _Channel]:
    """Return the ends of both sides."""
    to_theirs, to_ours = os.pipe(), os.pipe()
    return _Channel(to_ours[0], to_theirs[1]), _Channel(to_theirs[0], to_ours[1])


class Sender:
    """The producer's side: fills slots."""

    def __init__(self, slots: list[memoryview], channel: _Channel, precompute: Precompute) -> None:
        self._slots = cycle(slots)
        self._free = len(slots)
        self._channel = channel
        self._precompute = precompute
        self._slot: memoryview | None = None

    def next_slot(self) -> memoryview:
        """Return the slot of the next item; a piece written to its beginning is not copied."""
        if self._slot is None:
            if not self._free:
                self._reclaim_slots()
            self._free -= 1
            self._slot = next(self._slots)
        return self._slot

    def send(self, item: Item) -> None:
        """Send an item, which fits into one slot.

        Its piece is the beginning of the slot from `next_slot`, or lies outside of all slots.
        """
        piece, computed = item
        if not computed and self._consumer_is_behind():
            computed = self._precompute(piece)
        slot = self.next_slot()
        self._slot = None
        middle, end = len(piece), len(piece) + len(computed)
        if not (isinstance(piece, memoryview) and piece.obj is slot.obj):
            slot[:middle] = piece
        slot[middle:end] = computed
        self._channel.send(middle.to_bytes(_LENGTH_BYTES) + end.to_bytes(_LENGTH_BYTES))

    def end(self) -> None:
        """Send the end of the items."""
        self._channel.send(_END)

    def _consumer_is_behind(self) -> bool:
        if self._free < SLOTS // 2 and self._channel.is_ready():
            self._reclaim_slots()
        return self._free < SLOTS // 2

    def _reclaim_slots(self) -> None:
        self._free += len(self._channel.receive(SLOTS))


def _receive(slots: list[memoryview], channel: _Channel) -> Iterator[Item]:
    """Yield the items of the other side's Sender; each is valid until the next one is asked for."""
    for slot in cycle(slots):
        message = channel.receive(_MESSAGE_BYTES)
        if message == _END:
            return
        middle = int.from_bytes(message[:_LENGTH_BYTES])
        end = int.from_bytes(message[_LENGTH_BYTES:])
        yield Item(slot[:middle], slot[middle:end])
        with suppress(ConnectionError):  # the producer may have ended; its items are still here
            channel.send(_FREE)


@contextmanager
def _second_process(
    work: Callable[[_Channel], None], expected: type[Exception] | None
) -> Iterator[_Channel]:
    """Fork a process that does the work, and yield this side's end of the channel to it."""
    ours, theirs = _channel()
    try:
        pid = _fork()
    except SystemFailure:
        ours.close()
        theirs.close()
        raise
    if pid == 0:
        ours.close()
        _work_and_exit(work, theirs, expected)
    theirs.close()
    disconnected = False
    try:
        with closing(ours):
            yield ours
    except ConnectionError:
        disconnected = True  # the exit status gives the reason
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    _raise_for_status(_FAILED if disconnected and status == _DONE else status, expected)


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
def _default_sigchld() -> Iterator[None]:
    """Set SIGCHLD to its default: if a supervisor left it ignored, exit statuses would be lost."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


def _work_and_exit(
    work: Callable[[_Channel], None], channel: _Channel, expected: type[Exception] | None
) -> NoReturn:
    status = _FAILED
    try:
        work(channel)
        status = _DONE
    except ConnectionError:
        pass  # the other side has ended, or will report the reason
    except OSError as error:
        status = error.errno or errno.EIO
    except Exception as error:
        if expected and isinstance(error, expected):
            status = _EXPECTED_ERROR
    finally:
        os._exit(status)  # do not flush or clean up what belongs to the first process


def _raise_for_status(status: int, expected: type[Exception] | None) -> None:
    if status == _EXPECTED_ERROR and expected:
        raise expected
    if 0 < status < _EXPECTED_ERROR:
        raise OSError(status, os.strerror(status))
    if status != _DONE:
        raise SystemFailure(
            "second-process-died",
            "the second process that works on a large file ended before its work was done",
            hint="check whether memory ran out, then start again",
            retry=True,
        )

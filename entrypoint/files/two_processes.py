"""A large file through two processes, so that two cores share the work on it.

Threads would take turns: `cryptography` and `binascii` keep the interpreter's lock while they work.
The second process is a fork that lives for one file. Pieces pass through slots of shared memory,
filled by one side and emptied by the other; a pipe carries the lengths of what is in each filled
slot, and another one back a byte for each slot that is free again.

Part of the work on a piece may need no state. Whoever fills the slots does it while the other side
is behind, and leaves it to the other side while that waits, so that both are always busy.
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
from entrypoint.limits import RELAY_SLOT_BYTES, RELAY_SLOTS

_LENGTH_BYTES = 4
_MESSAGE_BYTES = 2 * _LENGTH_BYTES
_END = b"\xff" * _MESSAGE_BYTES
_FREE = b"."

# How the second process ends; any other status is the errno of an OSError.
_DONE = 0
_REFUSED = 254
_FAILED = 255

_FORKS = sys.platform == "linux"  # elsewhere a fork is missing or unsafe; one process does it all


class Handed(NamedTuple):
    """A piece of a file, and what has been made of it already."""

    piece: Piece
    made: Piece = b""


Share = Callable[[Piece], bytes]
"""Work on a piece that either process can do, see `Stream.share`."""


@contextmanager
def pushing(consume: Callable[[Iterable[Handed]], None], share: Share) -> Iterator["Sender"]:
    """Give what takes each piece of data; the second process gives them to `consume`.

    At the end of the block it has taken everything. Only on Linux.

    Args:
        consume: each piece is valid until it asks for the next one. What it writes to open files
            counts, if it flushes them; what it changes in memory is lost.
        share: done by the first process while the second is behind.

    Raises:
        OSError: `consume` has raised it.
        SystemFailure: the second process was killed.
    """
    slots = _slots()

    def work(channel: _Channel) -> None:
        consume(_receive(slots, channel))

    with _exit_statuses_kept(), _second_process(work, refusal=None) as channel:
        sender = Sender(slots, channel, share)
        yield sender
        sender.end()


def pulling(
    pieces: Iterable[Handed], share: Share, refusal: type[Exception]
) -> AbstractContextManager[Iterable[Handed]]:
    """Give the pieces that the second process draws from a generator not yet begun.

    Args:
        pieces: may use open files that nobody else does meanwhile; what it writes to them counts,
            if it flushes them.
        share: done by the second process while the first is behind.
        refusal: what the generator may raise besides OSError, and this iterator then does.

    Raises:
        OSError: the generator has raised it.
        SystemFailure: the second process was killed.
    """
    return _pulling(pieces, share, refusal) if _FORKS else nullcontext(pieces)


@contextmanager
def _pulling(
    pieces: Iterable[Handed], share: Share, refusal: type[Exception]
) -> Iterator[Iterable[Handed]]:
    slots = _slots()

    def work(channel: _Channel) -> None:
        sender = Sender(slots, channel, share)
        for handed in pieces:
            sender.send(handed)
        sender.end()

    with _exit_statuses_kept(), _second_process(work, refusal) as channel:
        yield _receive(slots, channel)


def _slots() -> list[memoryview]:
    memory = memoryview(mmap.mmap(-1, RELAY_SLOTS * RELAY_SLOT_BYTES))
    return [
        memory[start : start + RELAY_SLOT_BYTES]
        for start in range(0, len(memory), RELAY_SLOT_BYTES)
    ]


class _Channel:
    """One end of two pipes, which carry short messages to another process and back.

    What was sent can be received after its sender has ended. A pipe takes a short message whole
    (pipe(7), "PIPE_BUF"), and gives it whole if all that go through it are of one length.

    Args:
        incoming, outgoing: descriptors of the ends of this side.
    """

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._poll = select.poll()
        self._poll.register(incoming, select.POLLIN)

    def close(self) -> None:
        """Give both ends back; the other side then finds that this one has ended."""
        os.close(self._incoming)
        os.close(self._outgoing)

    def send(self, message: bytes) -> None:
        """Send a message; raise BrokenPipeError if the other side has ended."""
        os.write(self._outgoing, message)

    def receive(self, most: int) -> bytes:
        """Return what has come, at `most` so many bytes; if nothing has, wait for it.

        Raises:
            BrokenPipeError: the other side has ended, and everything it has sent was received.
        """
        received = os.read(self._incoming, most)
        if not received:
            raise BrokenPipeError
        return received

    def has_come(self) -> bool:
        """Return whether `receive` would not wait."""
        return bool(self._poll.poll(0))


def _channel() -> tuple[_Channel, _Channel]:
    """Return both ends."""
    to_theirs, to_ours = os.pipe(), os.pipe()
    return _Channel(to_ours[0], to_theirs[1]), _Channel(to_theirs[0], to_ours[1])


class Sender:
    """The side that fills slots."""

    def __init__(self, slots: list[memoryview], channel: _Channel, share: Share) -> None:
        self._slots = cycle(slots)
        self._free = len(slots)
        self._channel = channel
        self._share = share
        self._slot: memoryview | None = None

    def room(self) -> memoryview:
        """Return the slot of the next piece, which is not copied if it comes into being there."""
        if self._slot is None:
            if not self._free:
                self._take_free()
            self._free -= 1
            self._slot = next(self._slots)
        return self._slot

    def send(self, handed: Handed) -> None:
        """Hand a piece over, and with it what has been made of it; a slot has room for both.

        The piece is the beginning of what `room` has just returned, or lies elsewhere.
        """
        piece, made = handed
        if not made and self._other_is_behind():
            made = self._share(piece)
        slot = self.room()
        self._slot = None
        middle, end = len(piece), len(piece) + len(made)
        if not (isinstance(piece, memoryview) and piece.obj is slot.obj):
            slot[:middle] = piece
        slot[middle:end] = made
        self._channel.send(middle.to_bytes(_LENGTH_BYTES) + end.to_bytes(_LENGTH_BYTES))

    def end(self) -> None:
        """Say that this was all."""
        self._channel.send(_END)

    def _other_is_behind(self) -> bool:
        if self._free < RELAY_SLOTS // 2 and self._channel.has_come():
            self._take_free()
        return self._free < RELAY_SLOTS // 2

    def _take_free(self) -> None:
        self._free += len(self._channel.receive(RELAY_SLOTS))


def _receive(slots: list[memoryview], channel: _Channel) -> Iterator[Handed]:
    """Yield what is handed over; each piece is valid until the next one is asked for."""
    for slot in cycle(slots):
        message = channel.receive(_MESSAGE_BYTES)
        if message == _END:
            return
        middle = int.from_bytes(message[:_LENGTH_BYTES])
        end = int.from_bytes(message[_LENGTH_BYTES:])
        yield Handed(slot[:middle], slot[middle:end])
        with suppress(ConnectionError):  # it has ended, and what it has sent is still there
            channel.send(_FREE)


@contextmanager
def _second_process(
    work: Callable[[_Channel], None], refusal: type[Exception] | None
) -> Iterator[_Channel]:
    """Fork a process that does the work, and give our end of the channel to it."""
    ours, theirs = _channel()
    try:
        pid = _fork()
    except SystemFailure:
        ours.close()
        theirs.close()
        raise
    if pid == 0:
        ours.close()
        _work(work, theirs, refusal)
    theirs.close()
    cut = False
    try:
        with closing(ours):
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
    work: Callable[[_Channel], None], channel: _Channel, refusal: type[Exception] | None
) -> NoReturn:
    status = _FAILED
    try:
        work(channel)
        status = _DONE
    except ConnectionError:
        pass  # the other side has gone, or will say what has happened
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

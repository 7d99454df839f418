"""Items pass from one process to another: all of them, in order, or an error gives the reason."""

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.errors import SystemFailure
from entrypoint.files import two_processes
from entrypoint.files.page_cache import Piece
from entrypoint.files.two_processes import SLOT_BYTES, SLOTS, Item, Precompute

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="one process does it all here")

MORE_THAN_THE_SLOTS = [bytes([number]) * 1000 for number in range(3 * SLOTS)]
SIZES = [0, 1, SLOT_BYTES - 1, SLOT_BYTES]
LONG_S = 0.02
"""Seconds after which the other side waits, if it has nothing else to do."""


class Refused(Exception):
    pass


def upper(piece: Piece) -> bytes:
    """Stand for the stateless part of the work."""
    return bytes(piece).upper()


def nothing(piece: Piece) -> bytes:
    return b""


def consume_all(
    pieces: Iterable[bytes],
    consume: Callable[[Iterable[Item]], None],
    precompute: Precompute = nothing,
) -> None:
    with two_processes.consumer_process(consume, precompute) as sender:
        for piece in pieces:
            sender.send(Item(piece))


def produce_all(
    pieces: Iterable[Item], precompute: Precompute = nothing
) -> Iterator[tuple[bytes, bytes]]:
    with two_processes.producer_process(pieces, precompute, Refused) as received:
        yield from ((bytes(piece), bytes(computed)) for piece, computed in received)


def consumed(pieces: Iterable[bytes], file: Path) -> bytes:
    """Send pieces to a process that writes them to a file; return the contents of the file."""
    with file.open("wb") as target:

        def write(received: Iterable[Item]) -> None:
            target.writelines(piece for piece, _ in received)
            target.flush()

        consume_all(pieces, write)
    return file.read_bytes()


def produced(pieces: Iterable[bytes]) -> bytes:
    return b"".join(piece for piece, _ in produce_all(map(Item, pieces)))


def children() -> set[str]:
    """Return the ids of this process's children, also of ended ones that nobody has waited for."""
    return set(Path("/proc/thread-self/children").read_text().split())


@pytest.fixture(autouse=True)
def no_child_is_left() -> Iterator[None]:
    """Check that a test leaves no process; other fixtures may have some."""
    before = children()
    yield
    assert children() == before


@pytest.mark.parametrize("pieces", [[], [b""], MORE_THAN_THE_SLOTS, [os.urandom(n) for n in SIZES]])
def test_all_pieces_arrive_in_order(pieces: list[bytes], tmp_path: Path) -> None:
    assert consumed(pieces, tmp_path / "file") == b"".join(pieces)
    assert produced(iter(pieces)) == b"".join(pieces)


def test_pieces_may_be_written_to_their_slot(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as target:

        def write(received: Iterable[Item]) -> None:
            target.writelines(bytes(piece) + b"; " for piece, _ in received)
            target.flush()

        with two_processes.consumer_process(write, upper) as sender:
            for number in range(3 * SLOTS):
                text = b"piece %d" % number
                place = sender.next_slot()[: len(text)]
                assert sender.next_slot().nbytes == SLOT_BYTES  # still the same one
                place[:] = text
                sender.send(Item(place))
                sender.send(Item(b"copied"))
    received = (tmp_path / "file").read_bytes().split(b"; ")
    sent = [[b"piece %d" % number, b"copied"] for number in range(3 * SLOTS)]
    assert received == [*chain.from_iterable(sent), b""]


HALF = st.integers(0, SLOT_BYTES // 2).map(os.urandom)


@given(st.lists(st.builds(Item, HALF, HALF), max_size=2 * SLOTS))
def test_computed_bytes_come_with_their_piece(pieces: list[Item]) -> None:
    assert list(produce_all(pieces)) == pieces


def slowly(pieces: Iterable[bytes]) -> Iterator[Item]:
    for piece in pieces:
        time.sleep(LONG_S)
        yield Item(piece)


def test_work_is_left_to_the_side_that_waits() -> None:
    pieces = [b"%d" % number for number in range(2 * SLOTS)]
    assert list(produce_all(slowly(pieces), upper)) == [(piece, b"") for piece in pieces]


def test_work_is_done_for_the_side_that_is_behind(tmp_path: Path) -> None:
    pieces = [b"%04d x" % number for number in range(3 * SLOTS)]
    file = tmp_path / "file"

    def write(received: Iterable[Item]) -> None:
        with file.open("wb") as target:
            for piece, computed in received:
                time.sleep(LONG_S / 10)
                target.write(computed or piece)

    consume_all(pieces, write, upper)
    text = file.read_bytes()
    assert text.lower() == b"".join(pieces)
    assert text.count(b"X") > SLOTS
    assert text[:6].islower()


def test_the_work_is_done_by_another_process() -> None:
    def me() -> Iterator[bytes]:
        yield str(os.getpid()).encode()

    assert produced(me()) != str(os.getpid()).encode()


def test_where_a_fork_is_unsafe_one_process_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_processes, "_FORKS", False)
    me = str(os.getpid()).encode()

    def pieces() -> Iterator[bytes]:
        yield str(os.getpid()).encode()
        yield from MORE_THAN_THE_SLOTS

    assert produced(pieces()) == me + b"".join(MORE_THAN_THE_SLOTS)


def test_a_full_disk_is_an_error_of_the_first_process() -> None:
    def write(pieces: Iterable[Item]) -> None:
        with open("/dev/full", "wb", buffering=0) as full:
            full.writelines(piece for piece, _ in pieces)

    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        consume_all(MORE_THAN_THE_SLOTS, write)


@pytest.mark.parametrize("error", [Refused(), OSError(errno.EIO, "broken")])
def test_an_error_of_the_generator_comes_after_its_pieces(error: Exception) -> None:
    def pieces() -> Iterator[Item]:
        yield from map(Item, MORE_THAN_THE_SLOTS)
        raise error

    received: list[bytes] = []
    with pytest.raises(type(error)):
        received.extend(piece for piece, _ in produce_all(pieces()))

    assert received == MORE_THAN_THE_SLOTS


def test_a_bug_in_the_second_process_is_no_end_of_the_data() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"the only piece"
        raise AssertionError

    with pytest.raises(SystemFailure, match="ended before"):
        produced(pieces())


def test_a_killed_process_is_no_end_of_the_data() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"the only piece"
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(SystemFailure) as raised:
        produced(pieces())

    assert raised.value.code == "second-process-died"
    assert raised.value.retry


def test_the_end_is_known_where_a_supervisor_has_child_processes_ignored() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert produced(iter([b"piece"])) == b"piece"
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_an_error_of_the_first_process_ends_the_second(tmp_path: Path) -> None:
    written = tmp_path / "written"

    def write(pieces: Iterable[Item]) -> None:
        for _ in pieces:
            pass
        written.touch()

    def broken() -> Iterator[bytes]:
        yield b"the only piece"
        raise Refused

    with pytest.raises(Refused):
        consume_all(broken(), write)
    assert not written.exists()


def test_a_file_that_a_server_cuts_off_is_no_end_of_the_data() -> None:
    def cut_off() -> Iterator[bytes]:
        yield b"the only piece"
        raise ConnectionResetError

    def read(received: Iterable[Item]) -> None:
        for _ in received:
            pass

    with pytest.raises(SystemFailure):
        consume_all(cut_off(), read)


def test_what_the_first_process_has_not_flushed_is_written_once(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("wb") as target:
        target.write(b"buffered")
        assert produced([b"piece"]) == b"piece"

    assert file.read_bytes() == b"buffered"

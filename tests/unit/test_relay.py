"""Pieces handed over between two processes: all of them, in order, or an error that says why."""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint import relay
from entrypoint.errors import SystemFailure
from entrypoint.limits import RELAY_SLOT_BYTES, RELAY_SLOTS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="one process does it all here")

Piece = bytes | memoryview
MORE_THAN_THE_SLOTS = [bytes([number]) * 1000 for number in range(3 * RELAY_SLOTS)]
SIZES = [0, 1, RELAY_SLOT_BYTES - 1, RELAY_SLOT_BYTES, 3 * RELAY_SLOT_BYTES + 1]


class Refused(Exception):
    pass


def push_all(pieces: Iterable[bytes], consume: Callable[[Iterable[Piece]], None]) -> None:
    with relay.pushing(consume) as push:
        for piece in pieces:
            push(piece)


def pull_all(pieces: Iterable[bytes]) -> Iterator[bytes]:
    with relay.pulling(pieces, Refused) as received:
        yield from map(bytes, received)


def pushed(pieces: Iterable[bytes], file: Path) -> bytes:
    """Push pieces to a process that writes them to a file; return the contents of the file."""
    with file.open("wb") as target:

        def write(received: Iterable[Piece]) -> None:
            target.writelines(received)
            target.flush()

        push_all(pieces, write)
    return file.read_bytes()


def pulled(pieces: Iterable[bytes]) -> bytes:
    return b"".join(pull_all(pieces))


def no_child_is_left() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


@pytest.mark.parametrize("pieces", [[], [b""], MORE_THAN_THE_SLOTS, [os.urandom(n) for n in SIZES]])
def test_all_pieces_arrive_in_order(pieces: list[bytes], tmp_path: Path) -> None:
    assert pushed(pieces, tmp_path / "file") == b"".join(pieces)
    assert pulled(iter(pieces)) == b"".join(pieces)
    assert no_child_is_left()


@given(st.lists(st.integers(0, 2 * RELAY_SLOT_BYTES), max_size=2 * RELAY_SLOTS))
def test_the_sizes_of_the_pieces_do_not_matter(sizes: list[int]) -> None:
    pieces = [os.urandom(size) for size in sizes]
    assert pulled(pieces) == b"".join(pieces)


def test_the_work_is_done_by_another_process() -> None:
    def me() -> Iterator[bytes]:
        yield str(os.getpid()).encode()

    assert pulled(me()) != str(os.getpid()).encode()


def test_a_full_disk_is_the_error_of_whoever_pushes() -> None:
    def write(pieces: Iterable[Piece]) -> None:
        with open("/dev/full", "wb", buffering=0) as full:
            full.writelines(pieces)

    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        push_all(MORE_THAN_THE_SLOTS, write)

    assert no_child_is_left()


@pytest.mark.parametrize("error", [Refused(), OSError(errno.EIO, "broken")])
def test_an_error_of_the_generator_comes_after_its_pieces(error: Exception) -> None:
    def pieces() -> Iterator[bytes]:
        yield from MORE_THAN_THE_SLOTS
        raise error

    received: list[bytes] = []
    with pytest.raises(type(error)):
        received.extend(pull_all(pieces()))

    assert received == MORE_THAN_THE_SLOTS
    assert no_child_is_left()


def test_a_bug_in_the_second_process_is_no_end_of_the_data() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"the only piece"
        raise AssertionError

    with pytest.raises(SystemFailure, match="has ended"):
        pulled(pieces())


def test_a_killed_process_is_no_end_of_the_data() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"the only piece"
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(SystemFailure) as raised:
        pulled(pieces())

    assert raised.value.code == "second-process-died"
    assert raised.value.retry


def test_the_end_is_known_where_a_supervisor_has_child_processes_ignored() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert pulled(iter([b"piece"])) == b"piece"
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_an_error_of_the_first_process_ends_the_second(tmp_path: Path) -> None:
    written = tmp_path / "written"

    def write(pieces: Iterable[Piece]) -> None:
        for _ in pieces:
            pass
        written.touch()

    def broken() -> Iterator[bytes]:
        yield b"the only piece"
        raise Refused

    with pytest.raises(Refused):
        push_all(broken(), write)

    assert no_child_is_left()
    assert not written.exists()


def test_what_the_first_process_has_not_flushed_is_written_once(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("wb") as target:
        target.write(b"buffered")
        assert pulled([b"piece"]) == b"piece"

    assert file.read_bytes() == b"buffered"

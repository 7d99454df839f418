"""Pieces handed over between two processes: all of them, in order, or an error that says why."""

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
from entrypoint.files.two_processes import Handed
from entrypoint.limits import RELAY_SLOT_BYTES, RELAY_SLOTS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="one process does it all here")

MORE_THAN_THE_SLOTS = [bytes([number]) * 1000 for number in range(3 * RELAY_SLOTS)]
SIZES = [0, 1, RELAY_SLOT_BYTES - 1, RELAY_SLOT_BYTES]
LONG_S = 0.02
"""After so many seconds the other side waits, if it has nothing else to do."""


class Refused(Exception):
    pass


def upper(piece: Piece) -> bytes:
    """Stand for work that either process can do."""
    return bytes(piece).upper()


def nothing(piece: Piece) -> bytes:
    return b""


def push_all(
    pieces: Iterable[bytes],
    consume: Callable[[Iterable[Handed]], None],
    share: two_processes.Share = nothing,
) -> None:
    with two_processes.pushing(consume, share) as sender:
        for piece in pieces:
            sender.send(Handed(piece))


def pull_all(
    pieces: Iterable[Handed], share: two_processes.Share = nothing
) -> Iterator[tuple[bytes, bytes]]:
    with two_processes.pulling(pieces, share, Refused) as received:
        yield from ((bytes(piece), bytes(made)) for piece, made in received)


def pushed(pieces: Iterable[bytes], file: Path) -> bytes:
    """Push pieces to a process that writes them to a file; return the contents of the file."""
    with file.open("wb") as target:

        def write(received: Iterable[Handed]) -> None:
            target.writelines(piece for piece, _ in received)
            target.flush()

        push_all(pieces, write)
    return file.read_bytes()


def pulled(pieces: Iterable[bytes]) -> bytes:
    return b"".join(piece for piece, _ in pull_all(map(Handed, pieces)))


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


def test_pieces_may_come_into_being_where_they_are_handed_over(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as target:

        def write(received: Iterable[Handed]) -> None:
            target.writelines(bytes(piece) + b"; " for piece, _ in received)
            target.flush()

        with two_processes.pushing(write, upper) as sender:
            for number in range(3 * RELAY_SLOTS):
                text = b"piece %d" % number
                place = sender.room()[: len(text)]
                assert sender.room().nbytes == RELAY_SLOT_BYTES  # still the same one
                place[:] = text
                sender.send(Handed(place))
                sender.send(Handed(b"copied"))
    handed = (tmp_path / "file").read_bytes().split(b"; ")
    sent = [[b"piece %d" % number, b"copied"] for number in range(3 * RELAY_SLOTS)]
    assert handed == [*chain.from_iterable(sent), b""]


HALF = st.integers(0, RELAY_SLOT_BYTES // 2).map(os.urandom)


@given(st.lists(st.builds(Handed, HALF, HALF), max_size=2 * RELAY_SLOTS))
def test_what_was_made_comes_with_its_piece(pieces: list[Handed]) -> None:
    assert list(pull_all(pieces)) == pieces


def slowly(pieces: Iterable[bytes]) -> Iterator[Handed]:
    for piece in pieces:
        time.sleep(LONG_S)
        yield Handed(piece)


def test_work_is_left_to_the_side_that_waits() -> None:
    pieces = [b"%d" % number for number in range(2 * RELAY_SLOTS)]
    assert list(pull_all(slowly(pieces), upper)) == [(piece, b"") for piece in pieces]


def test_work_is_done_for_the_side_that_is_behind(tmp_path: Path) -> None:
    pieces = [b"%04d x" % number for number in range(3 * RELAY_SLOTS)]
    file = tmp_path / "file"

    def write(received: Iterable[Handed]) -> None:
        with file.open("wb") as target:
            for piece, made in received:
                time.sleep(LONG_S / 10)
                target.write(made or piece)

    push_all(pieces, write, upper)
    text = file.read_bytes()
    assert text.lower() == b"".join(pieces)
    assert text.count(b"X") > RELAY_SLOTS
    assert text[:6].islower()


def test_the_work_is_done_by_another_process() -> None:
    def me() -> Iterator[bytes]:
        yield str(os.getpid()).encode()

    assert pulled(me()) != str(os.getpid()).encode()


def test_where_a_fork_is_unsafe_one_process_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_processes, "_FORKS", False)
    me = str(os.getpid()).encode()

    def pieces() -> Iterator[bytes]:
        yield str(os.getpid()).encode()
        yield from MORE_THAN_THE_SLOTS

    assert pulled(pieces()) == me + b"".join(MORE_THAN_THE_SLOTS)


def test_a_full_disk_is_the_error_of_whoever_pushes() -> None:
    def write(pieces: Iterable[Handed]) -> None:
        with open("/dev/full", "wb", buffering=0) as full:
            full.writelines(piece for piece, _ in pieces)

    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        push_all(MORE_THAN_THE_SLOTS, write)

    assert no_child_is_left()


@pytest.mark.parametrize("error", [Refused(), OSError(errno.EIO, "broken")])
def test_an_error_of_the_generator_comes_after_its_pieces(error: Exception) -> None:
    def pieces() -> Iterator[Handed]:
        yield from map(Handed, MORE_THAN_THE_SLOTS)
        raise error

    received: list[bytes] = []
    with pytest.raises(type(error)):
        received.extend(piece for piece, _ in pull_all(pieces()))

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

    def write(pieces: Iterable[Handed]) -> None:
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


def test_a_file_that_a_server_cuts_off_is_no_end_of_the_data() -> None:
    def cut_off() -> Iterator[bytes]:
        yield b"the only piece"
        raise ConnectionResetError

    def read(received: Iterable[Handed]) -> None:
        for _ in received:
            pass

    with pytest.raises(SystemFailure):
        push_all(cut_off(), read)

    assert no_child_is_left()


def test_what_the_first_process_has_not_flushed_is_written_once(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("wb") as target:
        target.write(b"buffered")
        assert pulled([b"piece"]) == b"piece"

    assert file.read_bytes() == b"buffered"

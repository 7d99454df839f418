"""A request to stop is noted, and found where the work asks for it."""

import os
import signal
from collections.abc import Iterator

import pytest

from entrypoint.process.stop import STOP_SIGNALS, Stopped, StopRequest


@pytest.fixture(autouse=True)
def _known_handlers() -> Iterator[None]:
    previous = [signal.signal(number, signal.SIG_DFL) for number in STOP_SIGNALS]
    yield
    for number, handler in zip(STOP_SIGNALS, previous, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_is_found_at_the_next_check(number: signal.Signals) -> None:
    with StopRequest() as stop:
        stop.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Stopped) as stopped:
            stop.check()
    assert stopped.value.signal is number


def test_the_first_of_several_signals_counts() -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.signal is signal.SIGHUP


def test_a_block_can_be_left_at_once() -> None:
    with StopRequest() as stop:
        with pytest.raises(Stopped), stop.at_once():
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped), stop.at_once():
            pytest.fail("the block begins after a stop")
        signal.raise_signal(signal.SIGTERM)


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        stop.check()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_the_handlers_are_put_back() -> None:
    with StopRequest():
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert {signal.getsignal(number) for number in STOP_SIGNALS} == {signal.SIG_DFL}

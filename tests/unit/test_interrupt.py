"""A command at the desk is interrupted once, and then has the time to clean up."""

import signal
from collections.abc import Iterator

import pytest

from entrypoint.author.interrupt import interruptible

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _known_handlers() -> Iterator[None]:
    previous = [signal.signal(number, signal.default_int_handler) for number in SIGNALS]
    yield
    for number, handler in zip(SIGNALS, previous, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_later_signals_do_not_end_the_cleaning(number: signal.Signals) -> None:
    cleaned = []

    def work() -> None:
        try:
            signal.raise_signal(number)
        finally:
            for later in SIGNALS:
                signal.raise_signal(later)
                cleaned.append(later)

    with pytest.raises(KeyboardInterrupt), interruptible():
        work()
    assert len(cleaned) == len(SIGNALS)


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interruptible():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_the_handlers_are_put_back() -> None:
    with interruptible():
        assert signal.getsignal(signal.SIGTERM) is not signal.default_int_handler
    assert {signal.getsignal(number) for number in SIGNALS} == {signal.default_int_handler}

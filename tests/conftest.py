"""Rules of every test: a skip may count as a failure, and a slow disk fails no property."""

import os
import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from tests.terminal import Terminal

# A deadline would measure the load of the machine, not the code.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

pytest_plugins = ["tests.containers.fixtures"]

# `nohup` ignores the first, a script the others in its background jobs; the programs that the tests
# start would inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

REQUIRE_ALL = "PHT_TEST_REQUIRE_ALL"
"""Set to 1 on a machine that has everything: there a skipped test is a failure."""


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Count the skip of a whole module as a failure, where everything is required."""
    report = yield
    _fail_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count the skip of a test as a failure, where everything is required."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _fail_skipped(report)
    return report


def _fail_skipped(report: pytest.CollectReport | pytest.TestReport) -> None:
    if os.environ.get(REQUIRE_ALL) != "1" or not report.skipped:
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{REQUIRE_ALL}=1 forbids this: {reason}"


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal that is hung up after the test."""
    opened = Terminal()
    yield opened
    opened.close()

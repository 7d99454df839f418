"""What holds for every test: nothing is skipped unseen, and a slow disk fails no property."""

import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import settings

# Examples are timed by a shared disk here, so a deadline would only measure the neighbours.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

pytest_plugins = ["tests.containers.fixtures"]

# Under `nohup` the first, in the background of a script the others would be ignored, also by the
# programs that the tests start and stop.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

REQUIRE_ALL = "PHT_TEST_REQUIRE_ALL"
"""Set to 1 on a machine that has everything: a test that is skipped there has lost its purpose."""


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Refuse the skip of a whole module."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Refuse the skip of one test; an expected failure is none."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.CollectReport | pytest.TestReport) -> None:
    if os.environ.get(REQUIRE_ALL) != "1" or not report.skipped:
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{REQUIRE_ALL}=1 forbids this: {reason}"

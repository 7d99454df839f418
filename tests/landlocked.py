"""Runs part of a test in a process that Landlock restricts."""

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from entrypoint.linux.prctl import PR_SET_NO_NEW_PRIVS, prctl
from entrypoint.process import landlock
from entrypoint.process.fork import ask
from entrypoint.process.landlock import Rule
from entrypoint.process.stop import StopRequest


def need_landlock(version: int = 1) -> None:
    """Skip the test where the kernel's Landlock is missing or older than this version."""
    if landlock.abi() < version:
        pytest.skip(f"needs Landlock, version {version}: Linux allows {landlock.abi()} here")


def outcomes(
    attempts: Mapping[str, Callable[[], object]], rules: Iterable[Rule] | None
) -> dict[str, str]:
    """Return how attempts end in a process that these rules restrict: `done`, or an errno's name.

    Args:
        attempts: by name, made in this order.
        rules: None for a process that nothing restricts.
    """
    ended = in_child(lambda: {name: _outcome(call) for name, call in attempts.items()}, rules)
    assert isinstance(ended, dict)
    return ended


def in_child(function: Callable[[], object], rules: Iterable[Rule] | None) -> Any:
    """Return what a function returns, through JSON, in a process that these rules restrict."""
    ruleset = None if rules is None else landlock.make_ruleset(rules)

    def restricted() -> dict[str, object]:
        if ruleset is not None:
            prctl(PR_SET_NO_NEW_PRIVS, 1)
            landlock.restrict_self(ruleset)
        return {"returned": function()}

    answer = ask(restricted, StopRequest())
    if ruleset is not None:
        os.close(ruleset)
    assert answer is not None
    return answer["returned"]


def _outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"

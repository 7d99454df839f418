"""Makes all attempts, those last that could disturb the others."""

from . import (  # noqa: F401 - they fill the register
    descriptors,
    environment,
    identity,
    kernel,
    key_files,
    memory,
    next_start,
    runner_process,
    signed,
)
from .attempts import REGISTER, Attempt, report

LAST = (
    "memory-proposal-id",
    "modules-changed",
    "pack-planted",
    "config-replaced",
    "processes-left",
    "status-forged",
)
"""What these leave behind can be seen by the others, and by the rest of the visit."""


def in_order() -> list[Attempt]:
    """Return all attempts in the order in which the train makes them."""

    def turn(one: Attempt) -> tuple[int, str]:
        return LAST.index(one.name) if one.name in LAST else -1, one.kind

    return sorted(REGISTER.values(), key=turn)


def main() -> None:
    """Make all attempts."""
    for attempt in in_order():
        report(attempt)

"""Makes all attempts, those last that could disturb the others."""

from . import (
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

KINDS = (
    environment,
    memory,
    key_files,
    descriptors,
    kernel,
    identity,
    runner_process,
    signed,
    next_start,
)

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
    return sorted(
        REGISTER.values(), key=lambda one: LAST.index(one.name) if one.name in LAST else -1
    )


def main() -> None:
    """Make all attempts."""
    for attempt in in_order():
        report(attempt)

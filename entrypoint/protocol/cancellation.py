"""The callback by which a caller cancels a stage."""

from collections.abc import Callable

CheckStop = Callable[[], None]
"""Called between two chunks; raises to cancel."""


def never_cancels() -> None:
    """Default callback: never cancels."""

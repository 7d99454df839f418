"""The environment with which this process was started, as the kernel keeps it."""

from functools import cache


@cache
def initial_environment() -> tuple[bytes, ...]:
    """Return the entries, each `NAME=VALUE`.

    They are kept, because a process that forbids others to read its memory may not read them again,
    unless it is root.
    """
    with open("/proc/self/environ", "rb") as file:
        return tuple(entry for entry in file.read().split(b"\0") if entry)

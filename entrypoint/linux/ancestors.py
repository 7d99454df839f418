"""The processes above this one, and the environments with which they were started (proc(5))."""

import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

_PARENT, _ENVIRONMENT_START = 4, 50
"""Numbers of fields in /proc/PID/stat, counted from 1."""


def ancestors() -> list[int]:
    """Return the parents of this process up to the first one, and that; none if it is the first."""
    if os.getpid() == 1:
        return []
    found = [1]
    pid = os.getppid()
    while pid > 1:  # 0 is a parent in another namespace of processes
        found.append(pid)
        pid = _stat(pid, _PARENT)
    return found


def erase_variables(pid: int, names: Collection[str]) -> bool:
    """Overwrite variables in the first environment of a process; return whether they are gone.

    An environment that this process may not read counts as one without them.
    """
    if found := _entries(pid, names):
        with suppress(OSError):
            _overwrite(pid, found)
    return not (found and _entries(pid, names))


def _entries(pid: int, names: Collection[str]) -> list[tuple[int, int]]:
    """Return offset and length of the entries of variables that are set and not empty."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return []
    found = []
    offset = 0
    for entry in environment.split(b"\0"):
        name, _, value = entry.partition(b"=")
        if value and os.fsdecode(name) in names:
            found.append((offset, len(entry)))
        offset += len(entry) + 1
    return found


def _overwrite(pid: int, entries: Iterable[tuple[int, int]]) -> None:
    start = _stat(pid, _ENVIRONMENT_START)
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for offset, length in entries:
            memory.seek(start + offset)
            memory.write(bytes(length))


def _stat(pid: int, field: int) -> int:
    text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    after_name = text[text.rindex(")") + 2 :].split()  # a name may hold blanks and parentheses
    return int(after_name[field - 3])

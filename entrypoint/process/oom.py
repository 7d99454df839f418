"""Reads how often the kernel's OOM killer was at work (cgroups of version 2 and 1)."""

from pathlib import Path

_COUNTERS = (
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)
"""Counters of a container's own cgroup: lines of a name and a number."""


def oom_kills() -> int | None:
    """Return how many processes of this container the OOM killer has killed.

    None if the kernel is too old to count them, or the engine does not mount cgroups.
    """
    for path in _COUNTERS:
        try:
            facts = dict(line.split() for line in path.read_text().splitlines())
            return int(facts["oom_kill"])
        except (OSError, KeyError, ValueError):
            continue
    return None

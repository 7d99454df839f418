"""What the kernel says about memory that ran out (cgroups of version 2 and 1)."""

from pathlib import Path

_COUNTERS = (
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)
"""Where a container sees the counters of its own group; lines of a name and a number."""


def oom_kills() -> int | None:
    """Return how many processes of this container the kernel has killed for want of memory.

    None if it does not tell, as an old one, or an engine that shows no cgroups.
    """
    for path in _COUNTERS:
        try:
            facts = dict(line.split() for line in path.read_text().splitlines())
            return int(facts["oom_kill"])
        except (OSError, KeyError, ValueError):
            continue
    return None

"""Whether this process is what a container was started for."""

import os
from pathlib import Path

_INITS = ("docker-init", "tini", "dumb-init", "catatonit")


def is_container_command() -> bool:
    """Return whether this process is what a container was started for, also under --init."""
    if os.getpid() == 1:
        return True
    try:
        return os.getppid() == 1 and Path("/proc/1/comm").read_text().strip() in _INITS
    except OSError:
        return False

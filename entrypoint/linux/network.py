"""The network of this process: whether it reaches more than this machine."""

import os
from pathlib import Path

IFF_UP = 1
"""The flag of netdevice(7) of a network device that is switched on."""


def network() -> str:
    """Return `none` if only the loopback device is up, `open`, or `unknown`."""
    try:
        return network_of(Path("/proc/self/net/dev").read_bytes())
    except OSError:
        return "unknown"


def network_of(devices: bytes) -> str:
    """Return `none` if only the loopback device is up.

    Kernels with built-in tunnels put one of each kind into every network namespace, switched off.

    Args:
        devices: the table of proc(5), "/proc/net/dev".
    """
    names = {line.split(b":")[0].strip() for line in devices.splitlines() if b":" in line}
    if not names:
        return "unknown"
    return "open" if any(map(_is_up, names - {b"lo"})) else "none"


def _is_up(device: bytes) -> bool:
    """Return whether a network device is switched on; one without readable flags counts as on."""
    try:
        flags = Path("/sys/class/net", os.fsdecode(device), "flags").read_bytes()
        return bool(int(flags, 16) & IFF_UP)
    except (OSError, ValueError):
        return True

"""The network of this process: whether it reaches more than this machine, and leaving it."""

import fcntl
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from entrypoint.linux.libc import last_error, libc

_IFF_UP = 1
"""The flag of netdevice(7) of a network device that is switched on."""

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFFLAGS = 0x8914


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
        return bool(int(flags, 16) & _IFF_UP)
    except (OSError, ValueError):
        return True


def way_out() -> Callable[[], None] | None:
    """Return `leave_network` if the kernel lets this user's processes leave the network."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            leave_network()
            status = 0
        finally:
            os._exit(status)
    return leave_network if os.waitpid(pid, 0)[1] == 0 else None


def leave_network() -> None:
    """Move this process, in a child before exec, to a network of its own with a loopback only.

    A user other than root needs a user namespace for that, in which it keeps its number.

    Raises:
        OSError: the kernel or a profile forbids it; the process must end.
    """
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWNET if uid == 0 else _CLONE_NEWNET | _CLONE_NEWUSER) != 0:
        raise last_error()
    if uid:
        Path("/proc/self/setgroups").write_text("deny")  # else no group may be mapped
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP))

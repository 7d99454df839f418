"""Namespaces that keep a child apart from this machine: its network and its /opt."""

import ctypes
import fcntl
import os
import socket
import struct
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from entrypoint.linux.libc import last_error, libc
from entrypoint.linux.network import IFF_UP

_OPT = Path("/opt")

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
_SIOCSIFFLAGS = 0x8914
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000

_SYS_MOUNT_SETATTR = 442
"""Its number on every machine; not every C library has a function for it."""

_AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = -100, 0x8000, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """The namespaces that the kernel lets a child of this process have.

    Attributes:
        network: whether it can leave the network.
        opt: whether it can have an /opt of its own.
    """

    network: bool
    opt: bool

    def enter(self, opt: Path, data: Path) -> None:
        """Move this process, in a child before exec, to the namespaces.

        Args:
            opt: a folder that it sees at /opt, if it can have one.
            data: a folder that it sees at /opt/train_data then, read-only.

        Raises:
            OSError: the kernel or a profile forbids it; the process must end.
        """
        if os.getuid() != 0 and (self.network or self.opt):
            _enter_user_namespace()
        if self.network:
            _leave_network()
        if self.opt:
            _replace_opt(opt, data)


def available() -> Namespaces:
    """Return the namespaces that a child of this process can enter, as a trial shows."""
    choices = product((True, False), repeat=2)
    trials = (Namespaces(network=network, opt=opt) for network, opt in choices)
    return next(filter(_can_be_entered, trials))  # the last one enters none


def _can_be_entered(namespaces: Namespaces) -> bool:
    with tempfile.TemporaryDirectory(prefix="pht-") as folder:
        opt, data = Path(folder, "opt"), Path(folder, "data")
        for place in (opt / "train_data", data):
            place.mkdir(parents=True)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                namespaces.enter(opt, data)
                status = 0
            finally:
                os._exit(status)
        return os.waitpid(pid, 0)[1] == 0


def _enter_user_namespace() -> None:
    """Enter a user namespace, without which a user other than root may enter no other.

    The process keeps its number. Until exec it has all rights, but only in this namespace.
    """
    uid, gid = os.getuid(), os.getgid()
    _unshare(_CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")  # else no group may be mapped
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _leave_network() -> None:
    """Enter a network of its own with a loopback only."""
    _unshare(_CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))


def _replace_opt(opt: Path, data: Path) -> None:
    """See `opt` at /opt, and in it `data`, read-only, and the folders that this machine has there.

    Programs are installed at /opt, perhaps this one. The folders in `opt` on which they are mounted
    are made here, and stay.
    """
    _unshare(_CLONE_NEWNS)
    _mount(None, Path("/"), _MS_REC | _MS_PRIVATE)  # nothing of this reaches the machine
    for folder in _OPT.iterdir():
        place = opt / folder.name
        if folder.is_dir() and not os.path.lexists(place):
            place.mkdir()
            _mount(folder, place, _MS_BIND | _MS_REC)
    place = opt / "train_data"
    _mount(data, place, _MS_BIND | _MS_REC)
    _make_read_only(place)
    _mount(opt, _OPT, _MS_BIND | _MS_REC)


def _unshare(flag: int) -> None:
    if libc.unshare(flag) != 0:
        raise last_error()


def _mount(source: Path | None, target: Path, flags: int) -> None:
    """Call mount(2) without a file system of its own."""
    name = None if source is None else os.fsencode(source)
    if libc.mount(name, os.fsencode(target), None, ctypes.c_ulong(flags), None) != 0:
        raise last_error(target)


def _make_read_only(mount: Path) -> None:
    """Let a mount and all below it take no writes, by mount_setattr(2)."""
    attributes = struct.pack("4Q", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    result = libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(mount),
        ctypes.c_uint(_AT_RECURSIVE),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )
    if result != 0:
        raise last_error(mount)

"""Uses interfaces of the kernel that reach into other processes or around the sandbox."""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import termios
from pathlib import Path

from .attempts import Gain, attempt
from .kernel_calls import LIBC, call, checked, from_any, in_child

_NEW_NAMESPACE, _NEW_USER = 0x20000, 0x10000000
_HERE = -100  # AT_FDCWD


@attempt(Gain.KEY, "uid", "landlock", "seccomp")
def ptrace() -> str:
    def trace(pid: int) -> str:
        call("ptrace", 0x4206, pid, 0, 0)  # PTRACE_SEIZE, which does not stop it
        return "it is traced"

    def quietly() -> None:
        from_any(trace)

    in_child(quietly)  # the end of the tracer detaches
    return "memory and registers of a process outside"


@attempt(Gain.RUNNER, "uid", "landlock", "seccomp")
def kcmp() -> str:
    def compare(pid: int) -> str:
        return f"order {call('kcmp', os.getpid(), pid, 1, 0, 0)}"

    return from_any(compare)


@attempt(Gain.SYSTEM, "caps", "seccomp")
def bpf() -> str:
    attributes = ctypes.create_string_buffer(struct.pack("<IIII", 2, 4, 4, 1), 128)
    os.close(call("bpf", 0, attributes, 128))  # BPF_MAP_CREATE
    return "a map"


@attempt(Gain.RUNNER, "uid", "seccomp")
def perf_event_open() -> str:
    attributes = ctypes.create_string_buffer(struct.pack("<IIQ", 1, 112, 0), 112)

    def watch(pid: int) -> str:
        os.close(call("perf_event_open", attributes, pid, -1, -1, 0))
        return "its events can be sampled"

    return from_any(watch)


@attempt(Gain.SYSTEM, "seccomp")
def userfaultfd() -> str:
    os.close(call("userfaultfd", os.O_CLOEXEC))
    return "page faults of the kernel can be delayed"


@attempt(Gain.SYSTEM, "seccomp")
def io_uring() -> str:
    os.close(call("io_uring_setup", 2, ctypes.create_string_buffer(120)))
    return "file operations that seccomp does not see"


@attempt(Gain.SYSTEM, "seccomp")
def keyctl() -> str:
    return f"session keyring {call('keyctl', 0, -3, 0)}"


@attempt(Gain.SYSTEM, "seccomp")
def add_key() -> str:
    # To the keyring of this process.
    return f"key {call('add_key', b'user', b'attack', b'x', 1, -2)}"


@attempt(Gain.SYSTEM, "seccomp")
def request_key() -> str:
    try:
        call("request_key", b"user", b"attack", None, 0)
    except OSError as error:
        if error.errno != errno.ENOKEY:
            raise
    return "keys of the kernel can be searched"


@attempt(Gain.SYSTEM, "seccomp")
def user_namespace() -> str:
    in_child(lambda: call("unshare", _NEW_USER))
    return "every capability inside"


@attempt(Gain.SYSTEM, "seccomp")
def user_namespace_by_clone() -> str:
    def clone() -> None:
        if checked(LIBC.syscall(_CLONE, _NEW_USER | 17, 0, 0, 0, 0)) == 0:
            os._exit(0)

    in_child(clone)
    return "every capability inside"


_CLONE = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine, -1)


@attempt(Gain.SYSTEM, "caps", "seccomp")
def mount_namespace() -> str:
    in_child(lambda: call("unshare", _NEW_NAMESPACE))
    return "mounts of its own"


@attempt(Gain.SYSTEM, "caps", "landlock", "seccomp")
def mount() -> str:
    def change() -> None:
        call("unshare", _NEW_NAMESPACE)
        call("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, None)

    in_child(change)
    return "a file system of its own"


@attempt(Gain.SYSTEM, "caps", "seccomp")
def mount_copied() -> str:
    os.close(call("open_tree", _HERE, b"/run/pht", 1))  # OPEN_TREE_CLONE
    return "a copy of a mount"


@attempt(Gain.SYSTEM, "caps", "seccomp")
def file_system_opened() -> str:
    os.close(call("fsopen", b"tmpfs", 0))
    return "a file system that could be mounted"


@attempt(Gain.SYSTEM, "caps", "landlock", "seccomp")
def station_folder_remounted() -> str:
    def change() -> None:
        call("unshare", _NEW_NAMESPACE)
        call("mount", None, b"/run/pht", None, 4096 | 32, None)  # MS_BIND | MS_REMOUNT

    in_child(change)
    return "writable"


@attempt(Gain.SYSTEM, "caps", "landlock", "seccomp")
def station_folder_unmounted() -> str:
    def change() -> None:
        call("unshare", _NEW_NAMESPACE)
        call("umount2", b"/run/pht", 2)  # MNT_DETACH

    in_child(change)
    return "what lies below can be seen"


@attempt(Gain.SYSTEM, "caps", "seccomp")
def namespace_entered() -> str:
    def enter() -> None:
        handle = os.open("/proc/self/ns/net", os.O_RDONLY)
        call("setns", handle, 0)

    in_child(enter)
    return "setns"


@attempt(Gain.SYSTEM, "caps", "seccomp")
def module_loaded() -> str:
    with open("/dev/null", "rb") as file:
        return _passes("finit_module", (errno.EINVAL, errno.ENOEXEC), file.fileno(), b"", 0)


@attempt(Gain.SYSTEM, "caps", "seccomp")
def module_removed() -> str:
    return _passes("delete_module", (errno.ENOENT,), b"there-is-no-such-module", 0)


@attempt(Gain.SYSTEM, "caps", "seccomp")
def kernel_replaced() -> str:
    return _passes("kexec_load", (errno.EINVAL, errno.EBUSY), 0, 0, 0, 0xFFFF)


@attempt(Gain.SYSTEM, "caps", "seccomp")
def fanotify() -> str:
    os.close(call("fanotify_init", 4, os.O_RDONLY))  # FAN_CLASS_CONTENT
    return "opening of files can be refused to others"


@attempt(Gain.SYSTEM, "seccomp")
def terminal_input() -> str:
    """Types into a terminal; its own here, which needs the same right."""

    def type_in() -> None:
        os.setsid()
        _, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        fcntl.ioctl(terminal, termios.TIOCSTI, b"x")

    in_child(type_in)
    return "input of a terminal"


@attempt(Gain.SYSTEM, "caps", "seccomp")
def kernel_log() -> str:
    return f"{call('syslog', 3, ctypes.create_string_buffer(4096), 4096)} bytes"


@attempt(Gain.SYSTEM, "caps")
def host_name() -> str:
    name = os.uname().nodename.encode()
    checked(LIBC.sethostname(name, len(name)))
    return "of the container"


@attempt(Gain.SYSTEM, "caps", "landlock")
def device_made() -> str:
    path = f"/tmp/device-{os.getpid()}"
    os.mknod(path, 0o020600, os.makedev(1, 3))
    os.unlink(path)
    return "device nodes"


@attempt(Gain.SYSTEM, "uid", "landlock")
def sysctl() -> str:
    path = Path("/proc/sys/vm/overcommit_memory")
    with path.open("r+b", buffering=0) as file:
        value = file.read()
        file.seek(0)
        file.write(value)
    return f"{path} can be written"


@attempt(Gain.SYSTEM, "caps")
def raw_socket() -> str:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3).close()
    return "packets of every interface"


def _passes(name: str, expected: tuple[int, ...], *arguments: object) -> str:
    """Make a call that cannot succeed, and return what an error behind all checks shows."""
    try:
        call(name, *arguments)
    except OSError as error:
        if error.errno not in expected:
            raise
    return f"{name} was only refused for its arguments"

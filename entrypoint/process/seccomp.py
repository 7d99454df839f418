"""Builds and installs the seccomp filter of the train's process.

The filter keeps the train from other processes' memory, from kernel features that bypass file
permissions and Landlock, and from signals and limits for the runner. It forbids what is listed
here: trains may use everything else, and the profile of the container engine applies as well.

Arguments are compared by their low 32 bits, because the kernel reads all those compared here as
32-bit integers: process ids, commands, address families.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from entrypoint.linux.libc import libc
from entrypoint.linux.prctl import prctl

_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2


class Machine(Enum):
    """A machine that has a filter, by its AUDIT_ARCH constant (linux/audit.h)."""

    X86_64 = 0xC000003E
    AARCH64 = 0xC00000B7


class _Numbers(NamedTuple):
    """Number of a system call on each machine, None where it does not exist."""

    x86_64: int
    aarch64: int | None

    def on(self, machine: Machine) -> int | None:
        return self.x86_64 if machine is Machine.X86_64 else self.aarch64


_FORBIDDEN = {
    # Memory and descriptors of other processes.
    "ptrace": _Numbers(101, 117),
    "process_vm_readv": _Numbers(310, 270),
    "process_vm_writev": _Numbers(311, 271),
    "process_madvise": _Numbers(440, 440),
    "process_mrelease": _Numbers(448, 448),
    "pidfd_getfd": _Numbers(438, 438),
    "kcmp": _Numbers(312, 272),
    # The kernel's keyrings are shared by all processes of a user.
    "add_key": _Numbers(248, 217),
    "request_key": _Numbers(249, 218),
    "keyctl": _Numbers(250, 219),
    # Code in the kernel, and operations that the kernel executes past this filter.
    "bpf": _Numbers(321, 280),
    "perf_event_open": _Numbers(298, 241),
    "userfaultfd": _Numbers(323, 282),
    "io_uring_setup": _Numbers(425, 425),
    "io_uring_enter": _Numbers(426, 426),
    "io_uring_register": _Numbers(427, 427),
    "init_module": _Numbers(175, 105),
    "finit_module": _Numbers(313, 273),
    "delete_module": _Numbers(176, 106),
    "kexec_load": _Numbers(246, 104),
    "kexec_file_load": _Numbers(320, 294),
    # Other views of the file system, and ways to a file without its path.
    "mount": _Numbers(165, 40),
    "umount2": _Numbers(166, 39),
    "pivot_root": _Numbers(155, 41),
    "open_tree": _Numbers(428, 428),
    "open_tree_attr": _Numbers(467, 467),
    "move_mount": _Numbers(429, 429),
    "mount_setattr": _Numbers(442, 442),
    "fsopen": _Numbers(430, 430),
    "fsconfig": _Numbers(431, 431),
    "fsmount": _Numbers(432, 432),
    "fspick": _Numbers(433, 433),
    "open_by_handle_at": _Numbers(304, 265),
    "file_setattr": _Numbers(469, 469),  # as _FS_IOC_FSSETXATTR
    "fanotify_init": _Numbers(300, 262),
    # A user namespace would give the train all capabilities in it.
    "unshare": _Numbers(272, 97),
    "setns": _Numbers(308, 268),
    # The whole machine or container.
    "acct": _Numbers(163, 89),
    "clock_settime": _Numbers(227, 112),
    "ioperm": _Numbers(173, None),
    "iopl": _Numbers(172, None),
    "quotactl": _Numbers(179, 60),
    "quotactl_fd": _Numbers(443, 443),
    "reboot": _Numbers(169, 142),
    "setdomainname": _Numbers(171, 162),
    "sethostname": _Numbers(170, 161),
    "settimeofday": _Numbers(164, 170),
    "swapoff": _Numbers(168, 225),
    "swapon": _Numbers(167, 224),
    "syslog": _Numbers(103, 116),
}
"""System calls that answer EPERM."""

_MISSING = {
    # Its flags are in memory, which a filter cannot read. glibc falls back to clone after ENOSYS,
    # but starts no thread after EPERM.
    "clone3": _Numbers(435, 435),
    # Accepts a descriptor of /proc/PID, so a filter cannot tell whether it means the runner.
    # Programs fall back to kill.
    "pidfd_send_signal": _Numbers(424, 424),
}
"""System calls that answer ENOSYS, as in an older kernel, so that programs use another."""

_NEWEST = 469  # file_setattr, Linux 6.17; the same on both machines
"""Newest system call that was reviewed for this filter; later ones answer ENOSYS.

On x86-64 that refuses x32 as well: its numbers from 0x40000000 on, and its variants from 512 on,
which kernels before 5.4 also executed for 64-bit programs.
"""

_CLONE = _Numbers(56, 220)
_CLONE_NEW_NAMESPACE = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET

_CONDITIONAL = {
    "fcntl": _Numbers(72, 25),
    "get_robust_list": _Numbers(274, 100),
    "ioctl": _Numbers(16, 29),
    "ioprio_set": _Numbers(251, 30),
    "kill": _Numbers(62, 129),
    "migrate_pages": _Numbers(256, 238),
    "move_pages": _Numbers(279, 239),
    "pidfd_open": _Numbers(434, 434),
    "prlimit64": _Numbers(302, 261),
    "rt_sigqueueinfo": _Numbers(129, 138),
    "rt_tgsigqueueinfo": _Numbers(297, 240),
    "sched_setaffinity": _Numbers(203, 122),
    "sched_setattr": _Numbers(314, 274),
    "sched_setparam": _Numbers(142, 118),
    "sched_setscheduler": _Numbers(144, 119),
    "setpriority": _Numbers(141, 140),
    "socket": _Numbers(41, 198),
    "tgkill": _Numbers(234, 131),
    "tkill": _Numbers(200, 130),
}
"""System calls that answer EPERM for the arguments in `_forbidden_arguments`."""

_PRIO_PROCESS = 0
_IOPRIO_WHO_PROCESS = 1
_F_SETOWN, _F_SETOWN_EX = 8, 15
_FIOSETOWN, _SIOCSPGRP = 0x8901, 0x8902
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_FS_IOC_SETFLAGS, _FS_IOC_FSSETXATTR = 0x40086602, 0x401C5820
_FS_IOC_SET_ENCRYPTION_POLICY = 0x800C6613
_AF_NETLINK, _AF_PACKET, _AF_VSOCK = 16, 17, 40
_NETLINK_CONNECTOR = 11


class _Equal(NamedTuple):
    """A comparison of an argument, counted from 0, with a value."""

    argument: int
    value: int


_Arguments = tuple[_Equal, ...]  # all of them must be equal


def _forbidden_arguments(runner: int) -> dict[str, list[_Arguments]]:
    """Return the combinations of arguments that each system call of `_CONDITIONAL` refuses.

    Signals and priorities for a whole group stay allowed, since scripts end their children with
    `kill 0`. The runner is in that group too: it is protected there by its uid or Landlock, and
    from `kill(-1)` also by being PID 1.
    """
    first_is_runner = (_Equal(0, runner),)
    return {
        **{name: [first_is_runner] for name in _CONDITIONAL},
        "tgkill": [first_is_runner, (_Equal(1, runner),)],
        "rt_tgsigqueueinfo": [first_is_runner, (_Equal(1, runner),)],
        "setpriority": [(_Equal(0, _PRIO_PROCESS), _Equal(1, runner))],
        "ioprio_set": [(_Equal(0, _IOPRIO_WHO_PROCESS), _Equal(1, runner))],
        # The kernel signals the owner of a descriptor when there is input. F_SETOWN has the owner
        # as an argument; the others, which hardly any program uses, have it in memory.
        "fcntl": [(_Equal(1, _F_SETOWN), _Equal(2, runner)), (_Equal(1, _F_SETOWN_EX),)],
        "ioctl": [
            (_Equal(1, _FIOSETOWN),),
            (_Equal(1, _SIOCSPGRP),),
            # Input for a terminal, as if somebody had typed it.
            (_Equal(1, _TIOCSTI),),
            (_Equal(1, _TIOCLINUX),),
            # Quotas, encryption and folded names of a folder, for which the kernel refuses to
            # rename or link the runner's files into it.
            (_Equal(1, _FS_IOC_SETFLAGS),),
            (_Equal(1, _FS_IOC_FSSETXATTR),),
            (_Equal(1, _FS_IOC_SET_ENCRYPTION_POLICY),),
        ],
        # AF_VSOCK reaches the host of a virtual machine past --network none; the connector of
        # netlink tells of every process that starts.
        "socket": [
            (_Equal(0, _AF_VSOCK),),
            (_Equal(0, _AF_PACKET),),
            (_Equal(0, _AF_NETLINK), _Equal(2, _NETLINK_CONNECTOR)),
        ],
    }


def is_for_this_machine() -> bool:
    """Return whether there is a filter for programs of this kind of processor."""
    return _machine() is not None


def is_available() -> bool:
    """Return whether this machine has a filter, and its kernel lets a process install one."""
    if not is_for_this_machine():
        return False
    # Without a program: EFAULT where the kernel would have read it, EINVAL where it has no seccomp.
    mode = ctypes.c_ulong(_SECCOMP_MODE_FILTER)
    return bool(libc.prctl(_PR_SET_SECCOMP, mode, None, 0, 0)) and (
        ctypes.get_errno() == errno.EFAULT
    )


def program(runner: int) -> bytes:
    """Return the filter for this machine, which must have one.

    Args:
        runner: process id that the train must not signal or slow down.
    """
    machine = _machine()
    if machine is None:
        raise ValueError("there is no filter for this machine")
    return program_for(machine, runner)


def _machine() -> Machine | None:
    # A 32-bit program on a 64-bit kernel makes system calls of another architecture.
    name = os.uname().machine if struct.calcsize("P") == 8 else ""
    return {"x86_64": Machine.X86_64, "aarch64": Machine.AARCH64}.get(name)


class _SockFprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install(program: bytes) -> None:
    """Filter all further system calls of this process and its descendants.

    The process needs no_new_privs, or CAP_SYS_ADMIN.

    Raises:
        OSError: the kernel or a seccomp profile refuses it.
    """
    array = _SockFprog(len(program) // _SIZE, program)
    prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(array))


# --- classic BPF (linux/filter.h) ----------------------------------------------------------------

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS: a word of struct seccomp_data
_JUMP_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_JUMP_IF_GREATER = 0x25  # BPF_JMP | BPF_JGT | BPF_K
_JUMP_IF_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

# struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6]
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Return a struct sock_filter; jumps skip that many instructions, 255 at most."""
    return struct.pack("<HBBI", code, if_true, if_false, value & 0xFFFFFFFF)


_SIZE = len(_instruction(0, 0))
_ALLOW = _instruction(_RETURN, 0x7FFF0000)  # SECCOMP_RET_ALLOW
_EPERM, _ENOSYS = (
    _instruction(_RETURN, 0x00050000 | number)  # SECCOMP_RET_ERRNO
    for number in (errno.EPERM, errno.ENOSYS)
)


def program_for(machine: Machine, runner: int) -> bytes:
    """Return the filter for a machine, which need not be this one.

    It is a list of blocks, one for each system call, that are skipped for other numbers and always
    return for their own. Calls that are allowed with any arguments only meet comparisons of their
    number: kernels from 5.11 on recognise that and execute no filter for them.
    """
    blocks = [
        # Programs of another architecture find a kernel without system calls. They are not killed,
        # so that one that only probes for 32-bit calls goes on.
        _instruction(_LOAD, _ARCH),
        _instruction(_JUMP_IF_EQUAL, machine.value, if_true=1),
        _ENOSYS,
        _instruction(_LOAD, _NUMBER),
        _instruction(_JUMP_IF_GREATER, _NEWEST, if_false=1),
        _ENOSYS,
    ]
    for numbers, answer in _answers(runner):
        number = numbers.on(machine)
        if number is not None:
            blocks += [_instruction(_JUMP_IF_EQUAL, number, if_false=len(answer)), *answer]
    return b"".join([*blocks, _ALLOW])


def _answers(runner: int) -> Iterator[tuple[_Numbers, list[bytes]]]:
    """Yield the numbers of each restricted system call and the instructions of its answer."""
    # First those that honest programs use often, since the kernel executes their comparisons.
    for name, combinations in _forbidden_arguments(runner).items():
        yield _CONDITIONAL[name], _forbid_any(combinations)
    yield _CLONE, _forbid_bits(0, _CLONE_NEW_NAMESPACE)
    for numbers in _MISSING.values():
        yield numbers, [_ENOSYS]
    for numbers in _FORBIDDEN.values():
        yield numbers, [_EPERM]


def _forbid_bits(argument: int, mask: int) -> list[bytes]:
    """Return instructions that refuse a call if an argument has any bit of a mask."""
    return [
        _load_argument(argument),
        _instruction(_JUMP_IF_ANY_BIT, mask, if_false=1),
        _EPERM,
        _ALLOW,
    ]


def _forbid_any(combinations: list[_Arguments]) -> list[bytes]:
    """Return instructions that refuse a call if its arguments equal one of the combinations."""
    instructions = []
    for combination in combinations:
        block = [_EPERM]
        for argument, value in reversed(combination):
            compare = _instruction(_JUMP_IF_EQUAL, value, if_false=len(block))
            block = [_load_argument(argument), compare, *block]
        instructions += block
    return [*instructions, _ALLOW]


def _load_argument(argument: int) -> bytes:
    """Return the instruction that loads the low 32 bits, which both machines store first."""
    return _instruction(_LOAD, _ARGUMENTS + 8 * argument)

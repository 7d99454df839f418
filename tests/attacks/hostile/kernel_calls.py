"""System calls by name, and attempts at all processes outside of the train or at several paths."""

import ctypes
import os
import platform
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .attempts import Absent

LIBC = ctypes.CDLL(None, use_errno=True)

# From asm/unistd_64.h and asm-generic/unistd.h; the calls since 5.1 have one number everywhere.
_NUMBERS = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "get_robust_list": (274, 100),
    "init_module": (175, 105),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "request_key": (249, 218),
    "setns": (308, 268),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "pidfd_send_signal": (424, 424),
    "io_uring_setup": (425, 425),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "mount_setattr": (442, 442),
}
_COLUMN = {"x86_64": 0, "aarch64": 1}


class IoVec(ctypes.Structure):
    """A piece of memory, as process_vm_readv(2) wants it."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def call(name: str, *arguments: Any) -> int:
    """Make a system call; integers are passed as 64 bits, text as a C string."""
    column = _COLUMN.get(platform.machine())
    if column is None:
        raise Absent(f"no number of {name} for {platform.machine()}")
    values = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    LIBC.syscall.restype = ctypes.c_long
    return checked(LIBC.syscall(ctypes.c_long(_NUMBERS[name][column]), *values))


def checked(result: int) -> int:
    """Return the result of a C function; raise OSError if it is negative."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def runner() -> int:
    """Return the process id of the supervisor: of PID 1, or of the child of an init."""
    return max(TRAIN_PARENT, 1)


TRAIN = os.getpid()
TRAIN_PARENT = os.getppid()


def outside() -> list[int]:
    """Return the processes that the train has not started: the runner, PID 1, then all others."""
    own = _Process.read(TRAIN)
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    found = [pid for pid in dict.fromkeys([runner(), 1, *pids]) if not _is_own(pid, own)]
    if not found:
        raise Absent("no process outside of the train can be seen")
    return found


class _Process(NamedTuple):
    parent: int
    started: int

    @classmethod
    def read(cls, pid: int) -> "_Process":
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return cls(int(fields[1]), int(fields[19]))


def _is_own(pid: int, train: _Process) -> bool:
    """Return whether a process is the train, a descendant of it, or gone.

    Orphans of the train have its runner or an init as their parent, and are younger than itself.
    """
    try:
        process = _Process.read(pid)
        if pid in (runner(), 1):
            return False
        if pid == TRAIN or (process.parent in (runner(), 1) and process.started >= train.started):
            return True
        return process.parent > 0 and _is_own(process.parent, train)
    except FileNotFoundError:
        return True


def from_any(look: Callable[[int], str | None]) -> str:
    """Return what is found in the first process that has it.

    Raises:
        OSError: nothing was found, and one process refused to be looked at.
        Absent: nothing was found.
    """
    refused = None
    for pid in outside():
        try:
            if found := look(pid):
                return f"process {pid}: {found}"
        except OSError as error:
            refused = refused or error
    raise refused or Absent("not found in any process")


def first_of(paths: Iterable[str], use: Callable[[str], str | None]) -> str:
    """Like `from_any`, for paths; those that do not exist do not count as refused."""
    refused = None
    for path in paths:
        try:
            if found := use(path):
                return f"{path}: {found}"
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            refused = refused or error
    raise refused or Absent("not found at any path")


def in_child(function: Callable[[], object]) -> None:
    """Call a function in a process of its own, which it may change; raise its OSError here."""
    pid = os.fork()
    if pid == 0:
        status = 255
        try:
            function()
            status = 0
        except OSError as error:
            status = error.errno or 254
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == 255 or status < 0:
        raise Absent(f"the process ended with {status}")
    if status:
        raise OSError(status, os.strerror(status))

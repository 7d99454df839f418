"""Attempts of a hostile train, made by a process of its own for `pht doctor`.

Its interpreter gets this text as an argument, since the train's user need not be able to read the
files of this program. So it imports nothing but the standard library. Every attempt is harmless
where it succeeds.
"""

import ctypes
import errno
import json
import os
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path

_PTRACE_TRACEME = 0
_CLONE_NEWUSER = 0x10000000
_CAPABILITY_VERSION_3 = 0x20080522
_PR_CAPBSET_READ = 23  # fails for the number of a capability that the kernel does not know
_OWN_FILE_OF_THE_RUNNER = 1  # stdout, which is a file in memory
_UNEXPECTED = 255

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def read(path: str) -> None:
    """Read the beginning of a file."""
    with open(path, "rb") as file:
        file.read(1)


def find_variable(path: str, *names: str) -> None:
    """Find a variable with one of these names in the environment of a process."""
    variables = Path(path).read_bytes().split(b"\0")
    if not any(os.fsdecode(one.partition(b"=")[0]) in names for one in variables):
        raise OSError(errno.ENODATA, "no such variable")


def open_memory(path: str) -> None:
    """Open the memory of a process."""
    os.close(os.open(path, os.O_RDONLY))


def write_in(folder: str) -> None:
    """Make a file in a folder, and remove it."""
    path = Path(folder, ".pht-doctor")
    path.touch()
    path.unlink()


def change_mode() -> None:
    """Change the mode of a file of the runner."""
    os.fchmod(_OWN_FILE_OF_THE_RUNNER, 0o600)


def use_capability() -> None:
    """Switch on any capability."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    number = 0
    while _libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0) >= 0:
        low, high = 1 << number & 0xFFFFFFFF, 1 << number >> 32
        if _libc.capset(header, struct.pack("=6I", low, low, 0, high, high, 0)) == 0:
            return
        number += 1
    raise PermissionError(errno.EPERM, "none is permitted")


def be_traced() -> None:
    """Use ptrace(2)."""
    _check(_libc.ptrace(_PTRACE_TRACEME, 0, 0, 0))


def make_namespace() -> None:
    """Make a user namespace, which has all capabilities inside."""
    _check(_libc.unshare(_CLONE_NEWUSER))


def signal_to(pid: str) -> None:
    """Ask whether a process takes a signal, without sending one."""
    os.kill(int(pid), 0)


KINDS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (
        read,
        find_variable,
        open_memory,
        write_in,
        change_mode,
        use_capability,
        be_traced,
        make_namespace,
        signal_to,
    )
}
"""The attempts by name; each takes texts, and raises OSError if it fails."""


def outcome(kind: str, *arguments: str) -> int:
    """Make one attempt in a process of its own; return 0, or the number of its error.

    SIGSYS counts as EPERM: a profile of seccomp can kill instead.
    """
    pid = os.fork()
    if pid == 0:
        status = _UNEXPECTED
        try:
            KINDS[kind](*arguments)
            status = 0
        except OSError as error:
            status = error.errno or _UNEXPECTED
        finally:
            os._exit(status)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code == -signal.SIGSYS:
        return errno.EPERM
    return _UNEXPECTED if code < 0 else code


if __name__ == "__main__":
    answer = [outcome(*one) for one in json.loads(sys.argv[1])]
    os.write(_OWN_FILE_OF_THE_RUNNER, json.dumps(answer).encode())
    sys.exit(_UNEXPECTED if _UNEXPECTED in answer else 0)

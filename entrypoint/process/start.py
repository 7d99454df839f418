"""The process of the train's command.

It has the signals that every program expects, and no open files but the standard streams.

For PID 1 it is made by posix_spawn, without a copy of the runner, which would take a twentieth of
an empty visit. Any other runner needs the copy, which says, before it becomes the command, that it
is to die with the runner; what PID 1 has started dies with it anyway.
"""

import contextlib
import errno
import os
import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from entrypoint.errors import SystemFailure
from entrypoint.process.prctl import PR_SET_PDEATHSIG, prctl

_OPEN_FILES = Path("/proc/self/fd")
_UNPREPARED = 2**32 - 1  # instead of an errno: it did not come to the command

# In every Python, but not in what it starts. Others that do not have their default get it by exec.
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)

# Why no process could be started, where another try may do better: not the command's fault.
_NO_RESOURCES = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


def find_program(name: str, env: Mapping[str, str]) -> str:
    """Return the path of the program that a name means.

    Args:
        name: a path, or a name that is looked up in the PATH of `env`; there the first file counts
            that may be executed, whatever comes of that.
        env: an environment.

    Raises:
        FileNotFoundError: there is no file with this name, not even one that cannot be executed.
    """
    if os.path.dirname(name):
        return name
    paths = (os.path.join(folder, name) for folder in os.get_exec_path(env))
    files = [path for path in paths if os.path.isfile(path)]
    if not files:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return next((path for path in files if os.access(path, os.X_OK)), files[0])


def start(command: Sequence[str], env: Mapping[str, str], caught: Collection[int]) -> int:
    """Start a command and return its process number; no signal is blocked there.

    Args:
        command: the program, as `find_program` takes it, and its arguments.
        env: its whole environment, whose PATH is the one that counts.
        caught: the signals that do not have their default action here, but get it there.

    Raises:
        OSError: it cannot be executed; FileNotFoundError if it is not there.
        SystemFailure: there is no process to execute it.
    """
    try:
        _close_at_exec()
    except OSError as error:
        raise _no_process(error) from error
    try:
        path = find_program(command[0], env)
        if os.getpid() == 1:
            with contextlib.suppress(PermissionError):  # some profiles of seccomp forbid clone3(2)
                return os.posix_spawn(path, [*command], env, setsigmask=(), setsigdef=_IGNORED)
        return _fork([*caught, *_IGNORED], lambda: os.execve(path, [*command], env))
    except OSError as error:
        if error.errno in _NO_RESOURCES:
            raise _no_process(error) from error
        raise


def _close_at_exec() -> None:
    """Leave to the train no file that whoever started the runner has left to it."""
    for descriptor in map(int, os.listdir(_OPEN_FILES)):
        if descriptor > 2:
            try:
                os.set_inheritable(descriptor, False)
            except OSError as error:
                if error.errno != errno.EBADF:  # it was that of the list itself
                    raise


def _fork(default: Collection[int], execute: Callable[[], NoReturn]) -> int:
    """Execute in a copy of this process, where the train's wish to die can be said before."""
    runner = os.getpid()
    try:
        told, tell = os.pipe()  # closed by a successful exec; otherwise it brings the errno
        pid = os.fork()
    except OSError as error:
        raise _no_process(error) from error
    if pid == 0:
        _become(runner, default, execute, tell)
    os.close(tell)
    with open(told, "rb", buffering=0) as pipe:
        number = int.from_bytes(pipe.readall())
    if number:
        os.waitpid(pid, 0)
    if number == _UNPREPARED:
        raise SystemFailure(
            "train-not-prepared",
            "the train's process could not be prepared, so its command was not executed",
            hint="look whether memory ran out or a seccomp profile forbids prctl(2); start again",
        )
    if number:
        raise OSError(number, os.strerror(number))
    return pid


def _become(
    runner: int, default: Collection[int], execute: Callable[[], NoReturn], tell: int
) -> NoReturn:
    """Run in the child: execute the command, or tell why that fails; no more may happen there."""
    number = _UNPREPARED
    try:
        _prepare(runner, default)
        try:
            execute()
        except OSError as error:
            number = error.errno or errno.EIO
    finally:
        try:
            os.write(tell, number.to_bytes(4))
        finally:
            os._exit(127)


def _prepare(runner: int, default: Collection[int]) -> None:
    """Run in the child between fork and exec.

    Handlers go before the mask: a signal that arrives in between would only reach our handler. The
    wish to die with the runner comes after any change of user, which would clear it.
    """
    for number in default:
        signal.signal(number, signal.SIG_DFL)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != runner:  # it died before the wish was known
        os.kill(os.getpid(), signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _no_process(error: OSError) -> SystemFailure:
    return SystemFailure(
        "no-process",
        f"the train cannot be started: {os.strerror(error.errno or 0)}",
        hint="free memory or raise the limit of processes, then start again",
        retry=True,
    )

"""Starts the process of the train's command.

It is restricted by a sandbox, has the signal settings that every program expects, no open files but
the standard streams, and dies with the runner.
"""

import errno
import os
import signal
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from entrypoint.errors import SystemFailure
from entrypoint.linux.prctl import die_with
from entrypoint.process.fork import no_process
from entrypoint.process.sandbox import Sandbox

_OPEN_FILES = Path("/proc/self/fd")

# Sent by the child instead of an errno when it fails before it tries the command.
_UNPREPARED = 2**32 - 1

# Python ignores these, and an ignored signal stays ignored in the command.
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)

# Not the command's fault: there was no memory, process or file descriptor left to start it with.
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


def start(
    command: Sequence[str], env: Mapping[str, str], handled: Collection[int], sandbox: Sandbox
) -> int:
    """Start a command with no signal blocked, and return its process id.

    Args:
        command: the program, as for `find_program`, and its arguments.
        env: its whole environment, in whose PATH the program is looked up.
        handled: the signals that have a handler here; they get their default action there.
        sandbox: restricts it.

    Raises:
        OSError: it cannot be executed; FileNotFoundError if it is not there.
        SystemFailure: no process can be made or prepared for it.
    """
    path = find_program(command[0], env)
    runner = os.getpid()
    try:
        _close_at_exec()
        told, tell = os.pipe()
        pid = os.fork()
    except OSError as error:
        raise no_process(error) from error
    if pid == 0:
        _become(path, command, env, handled, sandbox, runner=runner, tell=tell)
    os.close(tell)
    with open(told, "rb", buffering=0) as pipe:
        number = int.from_bytes(pipe.readall())  # of nothing if exec has closed the pipe
    if number:
        os.waitpid(pid, 0)
        raise _failure(number)
    return pid


def _close_at_exec() -> None:
    """Set close-on-exec on every descriptor but the standard streams."""
    for descriptor in map(int, os.listdir(_OPEN_FILES)):
        if descriptor > 2:
            try:
                os.set_inheritable(descriptor, False)
            except OSError as error:
                if error.errno != errno.EBADF:  # that of the listing itself, closed by now
                    raise


def _become(
    path: str,
    command: Sequence[str],
    env: Mapping[str, str],
    handled: Collection[int],
    sandbox: Sandbox,
    *,
    runner: int,
    tell: int,
) -> NoReturn:
    """Run in the child: become the command, or send the errno and exit."""
    number = _UNPREPARED
    try:
        _prepare(runner, handled, sandbox)
        try:
            os.execve(path, [*command], env)
        except OSError as error:
            number = error.errno or errno.EIO
    finally:
        try:
            os.write(tell, number.to_bytes(4))
        finally:
            os._exit(127)


def _prepare(runner: int, handled: Collection[int], sandbox: Sandbox) -> None:
    """Run in the child between fork and exec.

    Handlers go before the mask: a signal that arrives in between would only reach our handler. The
    death signal is set after the sandbox, since a change of the user clears it.
    """
    for number in (*handled, *_IGNORED):
        signal.signal(number, signal.SIG_DFL)
    sandbox.enter()
    die_with(runner)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _failure(number: int) -> Exception:
    """Return the error for the number that the child has sent."""
    if number == _UNPREPARED:
        return SystemFailure(
            "train-not-prepared",
            "the train's process could not be prepared, so its command was not executed",
            hint="look whether memory ran out, or a seccomp profile forbids prctl(2), capset(2) or "
            "setuid(2); start again",
        )
    error = OSError(number, os.strerror(number))
    return no_process(error) if number in _NO_RESOURCES else error

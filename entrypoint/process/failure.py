"""Explains why the train's command failed, and what to do about it."""

import signal
from collections.abc import Mapping, Sequence

from entrypoint.errors import PhtError
from entrypoint.process.child import Ended, Reason
from entrypoint.process.script import has_windows_line_ends, interpreter
from entrypoint.process.start import find_program

_NOT_FOUND = 127
"""Exit status of a shell that did not find a command of its script."""

_SIGNAL = 128
"""Added to a signal, the exit status of a shell whose command was killed by it."""

_MORE_MEMORY = (
    "make a new container with a larger --memory (docker inspect shows OOMKilled for the old one)"
)
_UNIX_LINE_ENDS = (
    "the script has the line ends of Windows (CRLF), which Linux takes for a part of names: save "
    "it with those of Unix (LF), for example with dos2unix, and build the train again"
)
_NOT_EXECUTABLE = (
    "name its interpreter in CMD, or make the file executable, with a #! line, and sign it again"
)
_TIMED_OUT = "set a larger PHT_TIMEOUT, or have the author make the train faster"
_ITS_OWN_FAULT = (
    "tell the train's author; the lines above are the train's last output (if a permission was "
    'denied: docs/author.md, "Where a train may write")'
)
_OFTEN_THE_MACHINE = {
    signal.SIGBUS: "often the shared memory was full, of which Docker gives 64 MB: make a new "
    "container with a larger --shm-size; otherwise tell the train's author",
    signal.SIGILL: "often the processor, or its emulator, lacks instructions that a package needs: "
    "run the train on a newer machine; otherwise tell the author to take another build of it",
}
"""Signals that also kill a correct program, because of the machine that it runs on."""


class TrainFailed(Exception):
    """The train's command did not succeed.

    Attributes:
        ended: how it ended.
        reason: the reason as one word, for the status line.
        error: the explanation for people.
    """

    def __init__(
        self,
        ended: Ended,
        command: Sequence[str],
        env: Mapping[str, str],
        *,
        timeout: float | None,
        out_of_memory: bool | None,
    ) -> None:
        """Explain the end of a command.

        Args:
            ended: how it ended.
            command: program and arguments.
            env: its environment.
            timeout: of the command in seconds, or None.
            out_of_memory: whether the OOM killer has killed one of its processes, None if unknown.
        """
        super().__init__(ended.reason.value)
        text, hint = _explain(ended, command, env, timeout, out_of_memory)
        self.ended = ended
        self.reason = "out-of-memory" if out_of_memory else ended.reason.value.replace(" ", "-")
        self.error = PhtError(
            "train-failed",
            f"the train's command, {command[0]}, {text}",
            hint=hint,
            by="station" if out_of_memory or _signal_of(ended) in _OFTEN_THE_MACHINE else "author",
        )


def _explain(
    ended: Ended,
    command: Sequence[str],
    env: Mapping[str, str],
    timeout: float | None,
    out_of_memory: bool | None,
) -> tuple[str, str]:
    """Return what happened to a command, and a hint."""
    if out_of_memory:
        how = _ran_too_long(timeout) if ended.reason is Reason.TIMED_OUT else _how(ended)
        return (
            f"{how}, after memory had run out",
            f"{_MORE_MEMORY}, or have the author make the train need less",
        )
    match ended.reason:
        case Reason.NOT_FOUND:
            return _not_found(command[0], env)
        case Reason.NOT_EXECUTABLE:
            return "is not executable", _NOT_EXECUTABLE
        case Reason.TIMED_OUT:
            return _ran_too_long(timeout), _TIMED_OUT
    return _how(ended), _hint(ended, command, out_of_memory)


def _not_found(program: str, env: Mapping[str, str]) -> tuple[str, str]:
    """Return what is missing, the program or its interpreter or loader, and a hint."""
    try:
        path = find_program(program, env)
        named = interpreter(path)
    except OSError:
        return "was not found", "take a master image that has this program"
    if has_windows_line_ends(path):
        return f"names {named!r} in its #! line, which does not exist", _UNIX_LINE_ENDS
    if named:
        return (
            f"exists, but its #! line names {named}, which is missing or cannot be loaded",
            "take a master image that has it, or name another interpreter in CMD",
        )
    return (
        "exists, but its dynamic loader does not",
        "it was built for another system, for example for glibc where the image has musl: take "
        "a master image that it was built for",
    )


def _ran_too_long(timeout: float | None) -> str:
    return f"ran longer than PHT_TIMEOUT={timeout:.0f} seconds and was ended"


def _how(ended: Ended) -> str:
    if ended.signal:
        return f"was killed by signal {ended.signal} ({signal.strsignal(ended.signal)})"
    return f"ended with status {ended.status}"


def _hint(ended: Ended, command: Sequence[str], out_of_memory: bool | None) -> str:
    number = _signal_of(ended)
    if number in _OFTEN_THE_MACHINE:
        return _OFTEN_THE_MACHINE[signal.Signals(number)]
    if number == signal.SIGKILL and out_of_memory is None:
        return f"often this is the memory limit: {_MORE_MEMORY}; otherwise tell the author"
    if ended.status == _NOT_FOUND and any(map(has_windows_line_ends, command)):
        return _UNIX_LINE_ENDS
    return _ITS_OWN_FAULT


def _signal_of(ended: Ended) -> int:
    """Return the signal that killed the train, or a command of its shell script, or 0."""
    match ended.reason:
        case Reason.SIGNALLED:
            return ended.signal or 0
        case Reason.EXITED:
            return max(ended.status - _SIGNAL, 0)
    return 0

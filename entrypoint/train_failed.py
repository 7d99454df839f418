"""Why the train's command failed, in words: what happened, and what somebody can do about it."""

import signal

from entrypoint.errors import PhtError
from entrypoint.linux.child import Ended, Reason

_KILLED = 128 + signal.SIGKILL
"""The status of a train that SIGKILL has ended, or of a shell whose command it has."""

_MORE_MEMORY = (
    "make a new container with a larger --memory (docker inspect says OOMKilled of the old one)"
)


class TrainFailed(Exception):
    """The train's command did not succeed.

    Attributes:
        ended: how.
        reason: the same as one word, for the status line.
        error: the same for people; nothing but the train was refused.
    """

    def __init__(
        self, ended: Ended, program: str, timeout: float | None, out_of_memory: bool | None
    ) -> None:
        """Say how a command ended.

        Args:
            ended: how it did.
            program: the first word of the command.
            timeout: seconds that it was given, or None.
            out_of_memory: whether the kernel has killed a process of it for want of memory; None
                if nobody knows.
        """
        super().__init__(ended.reason.value)
        self.ended = ended
        self.reason = "out-of-memory" if out_of_memory else ended.reason.value.replace(" ", "-")
        self.error = PhtError(
            "train-failed",
            _message(ended, program, timeout, out_of_memory),
            hint=_hint(ended, out_of_memory),
            by="station" if out_of_memory else "author",
        )


def _message(ended: Ended, program: str, timeout: float | None, out_of_memory: bool | None) -> str:
    command = f"the train's command, {program},"
    match ended.reason:
        case Reason.NOT_FOUND:
            text = f"{command} was not found"
        case Reason.NOT_EXECUTABLE:
            text = f"{command} is not executable"
        case Reason.TIMED_OUT:
            text = f"{command} ran longer than PHT_TIMEOUT={timeout:.0f} seconds and was ended"
        case _ if ended.signal:
            name = signal.strsignal(ended.signal)
            text = f"{command} was killed by signal {ended.signal} ({name})"
        case _:
            text = f"{command} ended with status {ended.status}"
    return text + (", after memory had run out" if out_of_memory else "")


def _hint(ended: Ended, out_of_memory: bool | None) -> str:
    if out_of_memory:
        return f"{_MORE_MEMORY}, or the author lets the train need less"
    match ended.reason:
        case Reason.NOT_FOUND:
            return "take a master image that has this program, and what its #! line names"
        case Reason.NOT_EXECUTABLE:
            return "name its interpreter in CMD, or sign it with the right to execute and a #! line"
        case Reason.TIMED_OUT:
            return "set a larger PHT_TIMEOUT if the train may take longer, or the author changes it"
    if ended.status == _KILLED and out_of_memory is None:
        return f"often the memory limit has done this: {_MORE_MEMORY}; else the author changes it"
    return "the train's author changes it; the lines above are the last that it wrote"

"""Faults injected into one system call of a command: it is killed there, or gets an error."""

from tests.faults.second_stop import SecondStop
from tests.faults.strace import Call, Strace

SIGKILLED = -9


def kill(train: SecondStop, command: str, call: Call, strace: Strace) -> str:
    """Kill a command just before one of its calls and return the state that this leaves."""
    ended = train.start(command, under=strace.injecting(call, "signal=KILL"))
    assert ended.status == SIGKILLED, ended.stderr
    return train.state()


STATES_OF_DISK = {"unchanged": ("old",), "unfinished": ("sealing", "new")}
"""What the disk may hold for a word of the status line: `new`, if the last flush has failed."""


def fail(train: SecondStop, call: Call, error: str, strace: Strace) -> str:
    """Make a visit to which the disk gives an error, and return what the disk holds then."""
    failed = train.start("run", under=strace.injecting(call, f"error={error}"))
    assert failed.status == 74, failed.stderr
    assert (failed.facts["result"], failed.facts["retry"]) == ("refused", "yes")
    state = train.state()
    assert state in STATES_OF_DISK[failed.facts["state"]]
    return state


def is_on_disk(call: Call) -> bool:
    """Return whether a call changes the train, and not the log or nothing."""
    return call.succeeded and "/opt" in call.text

"""Faults injected into one system call of a command: it is killed there, or gets an error."""

from collections.abc import Sequence
from pathlib import Path

from tests.faults.second_stop import SecondStop
from tests.faults.strace import Call, Strace, read_calls
from tests.station import Done

SIGKILLED = -9
PARTS = (OPENER, CLOSER) = (0, 1)
"""The numbers of the parts of a visit that nobody kills; see `traced_parts`."""


def record_calls(
    train: SecondStop, command: str, strace: Strace, folder: Path
) -> tuple[Done, list[Call]]:
    """Run a command, and return its end and its calls: part by part, the supervisor's last."""
    logs = {part: folder / f"{part}.calls" for part in (*(PARTS if command == "run" else ()), None)}
    ended = train.start(
        command,
        under=strace.tracing(logs[None]),
        parts={part: strace.tracing(log) for part, log in logs.items() if part is not None},
    )
    calls = [call for part, log in logs.items() if log.exists() for call in read_calls(log, part)]
    return ended, calls


def inject(train: SecondStop, command: str, call: Call, tool: Sequence[str]) -> Done:
    """Run a command whose part that makes a call is traced by a tool."""
    if call.part is None:
        return train.start(command, under=tool)
    return train.start(command, parts={call.part: tool})


def kill(train: SecondStop, command: str, call: Call, strace: Strace) -> str:
    """Kill the whole runner around one of its calls and return the state that this leaves.

    That is just before a call of the supervisor, and just after one of another part, which dies
    with the supervisor.
    """
    signal = "KILL" if call.part is None else "USR1"
    ended = inject(train, command, call, strace.injecting(call, f"signal={signal}"))
    assert ended.status == SIGKILLED, ended.stderr
    return train.state()


ENDS_OF_KILLED_PARTS = {
    (71, "part-killed", "unchanged"): "old",
    (71, "part-killed", "sealed"): "new",
    (71, "part-killed", "unfinished"): "succeeded",
    (74, "disk-full", "unfinished"): "open",
    (75, "stopped-while-sealing", "unfinished"): "sealing",
}
"""What the disk holds for status, code and state of the status line."""


def kill_part(train: SecondStop, call: Call, strace: Strace) -> str:
    """Kill opener or closer just before one of its calls and return the state that this leaves."""
    ended = inject(train, "run", call, strace.injecting(call, "signal=KILL"))
    state = ENDS_OF_KILLED_PARTS[ended.status, ended.code, ended.facts["state"]]
    assert ended.facts["retry"] == "yes"
    assert state == "sealing" or "[part-killed]" in ended.stderr
    assert train.state() == state
    return state


STATES_OF_DISK = {"unchanged": ("old",), "unfinished": ("sealing", "new")}
"""What the disk may hold for a word of the status line: `new`, if the last flush has failed."""


def fail(train: SecondStop, call: Call, error: str, strace: Strace) -> str:
    """Make a visit to which the disk gives an error, and return what the disk holds then."""
    failed = inject(train, "run", call, strace.injecting(call, f"error={error}"))
    assert failed.status == 74, failed.stderr
    assert (failed.facts["result"], failed.facts["retry"]) == ("refused", "yes")
    state = train.state()
    assert state in STATES_OF_DISK[failed.facts["state"]]
    return state


def is_on_disk(call: Call) -> bool:
    """Return whether a call changes the train, and not the log or nothing."""
    return call.succeeded and "/opt" in call.text

"""Runs a command under strace: records its changes to the disk, or injects a fault into one."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

# `?` in front of a name: the call may be missing on this processor.
_CHANGING = (
    "?write,?pwrite64,?ftruncate,?mkdir,?mkdirat,?rmdir,?unlink,?unlinkat,"
    "?rename,?renameat,?renameat2,?link,?linkat,?symlink,?symlinkat,"
    "?chmod,?fchmod,?fchmodat,?chown,?fchown,?lchown,?fchownat,?utimensat,"
    "?fsync,?fdatasync,?syncfs"
)
_LINE = re.compile(r"(\w+)\((.*)\) += (-?\d+)")


class Call(NamedTuple):
    """One system call of a traced process.

    Attributes:
        name: of the system call.
        number: how many of this name the process has made so far, this one included; strace counts
            each name by itself.
        text: its arguments, file descriptors with their paths.
        succeeded: whether it changed anything; some are made in case there is something to change.
        part: of the visit that makes it, as in `traced_parts`; None if it is the supervisor.
    """

    name: str
    number: int
    text: str
    succeeded: bool
    part: int | None = None

    @property
    def change(self) -> str:
        """The name of the call without `at`: some processors have only the form with it."""
        return re.sub("at2?$", "", self.name)


class Unavailable(Exception):
    """strace cannot be used here; the message is the reason to skip the tests."""


@dataclass(frozen=True)
class Strace:
    """The tool. It follows one process alone: those that it starts are not counted or hit."""

    program: str

    @classmethod
    def find(cls) -> "Strace":
        """Return the strace of this machine, or raise Unavailable."""
        program = shutil.which("strace")
        if program is None:
            raise Unavailable("no strace on the PATH")
        probe = [program, "--output", "/dev/null", "true"]
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable(f"strace may not trace here: {done.stderr.strip()}")
        return cls(program)

    def tracing(self, log: Path) -> list[str]:
        """Return the prefix of a command that records its changes to the disk."""
        options = ["--output", str(log), "--decode-fds=path", "--string-limit=0"]
        return [self.program, *options, f"--trace={_CHANGING}"]

    def injecting(self, call: Call, fault: str) -> list[str]:
        """Return the prefix of a command that injects a fault into one of its calls.

        `fault` is `signal=KILL`, before the call does anything, or `error=NAME` in its place.
        """
        options = ["--output", "/dev/null", f"--trace={call.name}"]
        return [self.program, *options, f"--inject={call.name}:{fault}:when={call.number}"]

    def failing(self, names: str, error: str, *, at: Sequence[Path] = ()) -> list[str]:
        """Return the prefix of a command that has all calls of these names fail.

        Args:
            names: of system calls, with commas between them.
            error: the name of the error.
            at: only where they have to do with one of these paths.
        """
        paths = [f"--trace-path={path}" for path in at]
        fault = f"--inject={names}:error={error}"
        return [self.program, "--output", "/dev/null", f"--trace={names}", *paths, fault]


def read_calls(log: Path, part: int | None = None) -> list[Call]:
    """Return the recorded calls of a part of the visit, or of the supervisor, in their order."""
    calls: list[Call] = []
    counts: dict[str, int] = {}
    for line in log.read_text(errors="replace").splitlines():
        if found := _LINE.match(line):
            name = found[1]
            counts[name] = counts.get(name, 0) + 1
            calls.append(Call(name, counts[name], found[2], found[3] != "-1", part))
    return calls


def spread(calls: list[Call], count: int) -> list[Call]:
    """Return `count` of the calls at even distances, the first and the last among them."""
    return [calls[share * (len(calls) - 1) // (count - 1)] for share in range(count)]

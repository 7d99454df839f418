"""The result of a simulated visit: the runner's exit status, and what its log holds."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entrypoint.limits import LOG_END_BYTES, LOG_TAIL_LINES
from entrypoint.report import TRAIN_ENDED, TRAIN_RUNS, Fact, split_json_line


@dataclass(slots=True, kw_only=True)
class Log:
    """A visit's log.

    Attributes:
        facts: of the runner's status line.
        error: the runner's error, empty if there was none.
        warnings: of the runner.
        train: the last lines that the train wrote.
    """

    facts: dict[str, Fact] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    train: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitResult:
    """The runner's exit status, how long the visit took, and its log."""

    status: int
    seconds: float
    log: Log

    @property
    def visited(self) -> bool:
        """True if the results were sealed; another program can end with status 0 too."""
        return self.status == 0 and self.log.facts.get("result") == "visited"

    @property
    def failure(self) -> dict[str, Fact]:
        """The facts of the status line of a failed visit, empty if the runner wrote none.

        A status line counts only if it names the exit status. Else the runner was killed and the
        line may be the train's, or another program ended with 0.
        """
        facts = self.log.facts
        return facts if self.status != 0 and facts.get("status") == self.status else {}


def read_log(path: Path) -> Log:
    """Return the beginning and the end of a log, the train's output apart from our messages.

    From the first message that the train runs to the last one that it has ended, everything is the
    train's, whose own log may be JSON too. No other sign tells them apart: a train may imitate
    every message, but before the first of these it has not run, and behind the last it is dead.
    """
    lines = _lines(path)
    split = [split_json_line(line) for line in lines]
    said = [message.get("message") for _, message in split]
    began = said.index(TRAIN_RUNS) if TRAIN_RUNS in said else len(said)
    ended = len(said) - 1 - said[::-1].index(TRAIN_ENDED) if TRAIN_ENDED in said else len(said)
    log = Log()
    for number, line in enumerate(lines):
        output, message = (line, {}) if began < number < ended else split[number]
        if output:
            log.train.append(output)
        match message:  # a train may imitate ours, with values of any type
            case {"level": "error", "code": str(), "problems": list()}:
                log.error = message
            case {"level": "warning", "message": str(text)}:
                log.warnings.append(text)
            case {"level": "status"}:
                log.facts = {
                    name: value for name, value in message.items() if isinstance(value, str | int)
                }
    del log.train[:-LOG_TAIL_LINES]
    return log


def _lines(path: Path) -> list[str]:
    """Return the lines of the beginning and the end of a log, all lines of a short one."""
    with path.open("rb") as file:
        beginning = file.read(LOG_END_BYTES)
        rest = path.stat().st_size - len(beginning)
        if rest > LOG_END_BYTES:
            beginning += b"\n"
            file.seek(-LOG_END_BYTES, os.SEEK_END)
        return (beginning + file.read()).decode(errors="replace").split("\n")

"""The result of a simulated visit: the runner's exit status, and what the end of its log holds."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entrypoint.limits import LOG_TAIL_BYTES, LOG_TAIL_LINES
from entrypoint.report import Fact, split_json_line


@dataclass(slots=True, kw_only=True)
class Log:
    """The end of a visit's log.

    Attributes:
        facts: of the runner's status line.
        error: the runner's error, empty if there was none.
        train: the last lines that the train wrote.
    """

    facts: dict[str, Fact] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=dict)
    train: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitResult:
    """The runner's exit status, how long the visit took, and the end of its log."""

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
        return facts if 0 != self.status == facts.get("status") else {}


def read_log(path: Path) -> Log:
    """Return the end of a log, the runner's messages apart from the train's output."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
        lines = file.read().decode(errors="replace").split("\n")
    log = Log()
    for line in lines:
        output, message = split_json_line(line)
        if output:
            log.train.append(output)
        match message:  # a train may imitate ours, with values of any type
            case {"level": "error", "code": str(), "problems": list()}:
                log.error = message
            case {"level": "status"}:
                log.facts = {
                    name: value for name, value in message.items() if isinstance(value, str | int)
                }
    del log.train[:-LOG_TAIL_LINES]
    return log

"""Writes the log to stderr and output to stdout; no other module prints.

Log lines begin with `pht: `, in lower case and without a full stop. An error is followed by a
`hint:` line. A command that fails, a visit, and every command of a container end with a status
line; no other line begins with `pht: result=`. Text that a train may have chosen (ids, file names)
is escaped. With PHT_LOG=json every line is a JSON object. The train's own output on stderr stands
between two messages and is followed by an empty line. Stdout belongs to the train, or to the output
of a command.
"""

import io
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import IO, Any, Self

from entrypoint.errors import OPERATOR, PhtError, StorageError
from entrypoint.limits import LOG_CHARACTERS

Fact = str | int

TRAIN_RUNS = "step 6: the train runs"
"""The last message before the train's own output."""

TRAIN_ENDED = "step 6: the train has ended"
"""The first message behind the train's own output, which may hold a line that looks the same."""

_JSON_START = '{"level": '
"""The beginning of every line of the log with PHT_LOG=json."""


def escape(text: str) -> str:
    """Return `text` with control characters and undecodable bytes made visible."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class Stage(StrEnum):
    """The stage in which a command ended; only a visit has others than `START`."""

    START = "start"
    VERIFY = "verify"
    DECRYPT = "decrypt"
    COMMAND = "command"
    SEAL = "seal"
    COMMIT = "commit"
    EXPORT = "export"
    UNDO = "undo"


class State(StrEnum):
    """The state of the train on disk (docs/crash-safety.md)."""

    UNCHANGED = "unchanged"
    WAITING = "waiting"
    UNFINISHED = "unfinished"
    SPENT = "spent"
    SEALED = "sealed"
    UNSEALED = "unsealed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The train of a command, its trust, replay check and layers of protection.

    They follow the other facts of the status line.

    Attributes:
        train: the id of the train; None before it was read.
        session: the random number of the train, as hex, which no other train has; None like that.
        trust: how many of the train's keys the station knows: `none`, `partial` or `full`.
        replay: `checked` against the ledger, `unchecked`, or `allowed` although it is a replay.
        layers: the layers of protection around the train; none before it runs.
    """

    train: str | None = None
    session: str | None = None
    trust: str = "none"
    replay: str = "unchecked"
    layers: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended: the facts of its status line, in their order; None is left out.

    Attributes:
        result: one word, such as `visited`, `refused` or `train-failed`.
        status: the exit status.
        code: the stable code of an error, or the finding of `check`.
        stage: a `Stage`; `simulate` shows the word that another runner printed.
        reason: why the train's command failed.
        by: who has to act.
        retry: whether starting the same command again can help.
        state: a `State`; see `stage`.
        files: number of results.
        bytes: size of the results.
        changed: the files and folders of the train that have changed.
        surroundings: the train, trust, replay check and layers; shown behind the other facts.
    """

    result: str
    status: int = 0
    code: str | None = None
    stage: str | None = None
    reason: str | None = None
    by: str | None = None
    retry: bool | None = None
    state: str | None = None
    files: int | None = None
    bytes: int | None = None
    changed: Sequence[str] | None = None
    surroundings: Surroundings = Surroundings()

    @classmethod
    def refused(
        cls,
        error: PhtError,
        *,
        operator: str = "station",
        stage: Stage = Stage.START,
        state: State = State.UNCHANGED,
        surroundings: Surroundings = Surroundings(),
    ) -> Self:
        """Return the outcome of a command, given by `operator`, that ended with an error."""
        return cls(
            result="refused",
            status=error.status,
            code=error.code,
            stage=stage,
            by=operator if error.by == OPERATOR else error.by,
            retry=error.retry,
            state=state,
            surroundings=surroundings,
        )

    def facts(self) -> dict[str, Fact]:
        """Return the names and values that begin the status line, in its order."""
        names = [field.name for field in fields(self) if field.name != "surroundings"]
        values = {name: getattr(self, name) for name in names}
        return {name: _fact(value) for name, value in values.items() if value is not None}


class Report:
    """Writes log lines for people, or JSON lines for machines, to stderr.

    Attributes:
        as_json: whether they are for machines.
        ended: whether the status line has been written.
    """

    def __init__(self, *, as_json: bool = False, stream: IO[str] | None = None) -> None:
        self.as_json = as_json
        self.ended = False
        # A program that was started with stderr closed has none.
        self._stream = stream or sys.stderr or io.StringIO()

    def info(self, text: str) -> None:
        """Log what was done."""
        # A text may begin with a name that was chosen to look like a status line.
        self._line("info", f" {text}" if text.startswith("result=") else text)

    def warning(self, text: str) -> None:
        """Log a problem that does not stop the command."""
        self._line("warning", text)

    def error(self, error: PhtError) -> None:
        """Log an error with all its problems and its hint."""
        if self.as_json:
            facts: dict[str, object] = {"code": error.code}
            facts |= {"message": _cut(error.message), "hint": _cut(error.hint)}
            facts["problems"] = [_cut(problem) for problem in error.problems]
            self._write(_json_line("error", facts))
            return
        self._line("error", f"{error.message} [{error.code}]")
        for problem in error.problems:
            self._line("", f"  - {problem}")
        self._line("hint", error.hint)

    def status(self, outcome: Outcome, surroundings: Mapping[str, Fact]) -> None:
        """Write the status line.

        Args:
            outcome: how the command ended.
            surroundings: more facts, which follow those of the outcome.
        """
        self.ended = True
        facts = {**outcome.facts(), **surroundings}
        if self.as_json:
            self._write(_json_line("status", facts))
        else:
            self._line("", " ".join(f"{name}={_word(value)}" for name, value in facts.items()))

    def train_runs(self) -> None:
        """Log that from here on the stream holds the train's own output too."""
        self.info(TRAIN_RUNS)

    def train_ended(self) -> None:
        """Log on a new line that the stream holds no more output of the train.

        The train may have left an unfinished line that looks like ours. It may also have made the
        stream non-blocking, as some programs do to every pipe: then longer writes would fail.
        """
        with suppress(OSError, ValueError):  # the stream is not a file, or is closed
            os.set_blocking(self._stream.fileno(), True)
        self._write("")
        self.info(TRAIN_ENDED)

    def progress(self, text: str) -> None:
        """Show the progress of a long command, on a terminal in one line that is overwritten."""
        if self._is_terminal():
            self.update_progress(text)
        else:
            self.info(text)

    def update_progress(self, text: str) -> None:
        """Overwrite the line of `progress` on a terminal; elsewhere no line more is written."""
        if self._is_terminal():
            line, columns = f"pht: {escape(text)}", shutil.get_terminal_size().columns
            self._put(f"\r\x1b[K{line[: columns - 1]}")  # what the terminal wraps would stay

    def progress_done(self) -> None:
        """Clear the line of `progress` on a terminal."""
        if self._is_terminal():
            self._put("\r\x1b[K")

    def _is_terminal(self) -> bool:
        return not self.as_json and self._stream.isatty()

    def _line(self, level: str, text: str) -> None:
        if self.as_json:
            self._write(_json_line(level, {"message": _cut(text)}))
        else:
            prefix = {"info": "", "": "", "warning": "warning: ", "error": "error: "}
            self._write(f"pht: {prefix.get(level, level + ': ')}{escape(_cut(text))}")

    def _write(self, line: str) -> None:
        self._put(line + "\n")

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._go_silent()

    def _go_silent(self) -> None:
        """Stop writing: a terminal or pipe that went away must not fail a visit.

        The interpreter would write the rest of the buffer of stderr when it exits, fail again, and
        change the exit status to 120.
        """
        if self._stream is sys.stderr:
            sys.stderr = io.StringIO()
        self._stream = io.StringIO()


def _json_line(level: str, facts: Mapping[str, object]) -> str:
    return json.dumps({"level": level, **facts})


def split_json_line(line: str) -> tuple[str, dict[str, Any]]:
    """Return the train's output on a line of a log in JSON, and the runner's message at its end.

    They share a line where the train's output did not end with a newline. The message is empty if
    there is none.
    """
    output, start, rest = line.rpartition(_JSON_START)
    if start:
        with suppress(ValueError, RecursionError):
            return output, json.loads(start + rest)
    return line, {}


def show(text: str) -> None:
    """Write text for people to stdout; a closed reader is not an error."""
    if sys.stdout is None:
        return
    with suppress(BrokenPipeError):
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
    flush()


def flush() -> None:
    """Write the buffer of stdout; a closed reader is not an error."""
    if sys.stdout is not None:
        with suppress(BrokenPipeError):
            sys.stdout.flush()


def discard_unwritten() -> None:
    """Discard buffered output that stdout did not accept, after the error was reported.

    The interpreter would try again when it exits, and change the exit status to 120.
    """
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stdout() -> IO[bytes]:
    """Return stdout for the bytes that a command outputs.

    Raises:
        StorageError: it is closed, so the output would be lost.
    """
    if sys.stdout is None:
        raise StorageError(
            "stdout-closed",
            "the output of this command would be lost, because stdout is closed",
            hint="start again with stdout connected to a file or a pipe; nothing has changed",
        )
    return sys.stdout.buffer


def write_out(pieces: Iterable[bytes]) -> None:
    """Write the bytes that a command outputs to stdout.

    Unbuffered: nothing is left to flush when the command is interrupted.

    Raises:
        StorageError: as `stdout`.
    """
    descriptor = stdout().fileno()
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def complete_streams() -> None:
    """Make the standard streams usable: a closed one is /dev/null, and stdout takes all text.

    Otherwise the next file that is opened would take the number of a closed one, and output of a
    train or a library would go into that file. Characters that the console cannot show are escaped
    on stdout too; on stderr Python does it by itself.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is this one; the train inherits it.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in plain text, columns aligned, cells escaped."""
    cells = [[escape(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines) + "\n"


def counted(number: int, noun: str) -> str:
    """Return a number with a noun in the right form: `1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: int) -> str:
    """Return a duration for people: `12 s`, `1 min 12 s`."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _cut(text: str) -> str:
    """Return a text shortened to the limit of the log: a name may have megabytes."""
    return text if len(text) <= LOG_CHARACTERS else text[:LOG_CHARACTERS] + "…"


def _fact(value: bool | str | int | Sequence[str]) -> Fact:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str | int) else ",".join(value)


def _word(value: Fact) -> str:
    """Return a value as one word: in quotes and without blanks, unless it is plain in every shell.

    A script may look for ` result=visited ` without parsing quotes.
    """
    text = str(value)
    plain = re.fullmatch(r"[\w.,:/+-]+", text)
    return text if plain else json.dumps(text).replace(" ", r"\u0020")

"""Shows a stop of a simulated route while its visit is made."""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from entrypoint.limits import LOG_END_BYTES
from entrypoint.report import TRAIN_ENDED, TRAIN_RUNS, Report, duration, split_json_line


class StopDisplay:
    """Shows how long a stop takes, on a terminal, and the train's output if that is wanted.

    Args:
        title: of the stop.
        log: the log of the visit, from which the train's output is shown; None to show none.
        report: shows it.
    """

    def __init__(self, title: str, log: Path | None, report: Report) -> None:
        self._title = title
        self._output = TrainOutput(log) if log else None
        self._report = report
        self._began = time.monotonic()
        report.progress(title)

    def update(self) -> None:
        """Show the new lines of the output, and the time; called while the visit is made."""
        if self._output:
            self._show(self._output.new_lines())
        if seconds := int(time.monotonic() - self._began):
            self._report.update_progress(f"{self._title}, {duration(seconds)}")

    def end(self) -> None:
        """Show the rest of the output after the visit."""
        if self._output:
            self._show([*self._output.new_lines(), *self._output.unfinished_line()])

    def _show(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._report.progress_done()
            self._report.info(f"| {line}")


class TrainOutput:
    """The lines that a train writes, read from the log of its visit while that grows.

    Args:
        log: the file, which exists.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._position = 0
        self._rest = b""
        self._train_runs = False

    def new_lines(self) -> Iterator[str]:
        """Yield the lines completed since the last call, but empty ones; very long ones in pieces.

        What is written meanwhile is left to the next call: a train may write without an end.
        """
        with self._log.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < self._position:  # a train may empty the log by opening /dev/stdout
                self._position = 0
            file.seek(self._position)
            while piece := file.read(min(LOG_END_BYTES, size - self._position)):
                self._position += len(piece)
                yield from filter(None, map(self._output_of, self._complete(piece)))

    def unfinished_line(self) -> Iterator[str]:
        """Yield the output that no line end follows, if there is any."""
        rest, self._rest = self._rest, b""
        yield from filter(None, [self._output_of(rest)])

    def _complete(self, piece: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > LOG_END_BYTES:
            lines.append(self._rest)
            self._rest = b""
        return lines

    def _output_of(self, line: bytes) -> str:
        """Return the train's output on a line, apart from the runner's message."""
        text = line.decode(errors="replace")
        output, message = split_json_line(text)
        said = message.get("message")
        if self._train_runs and said != TRAIN_ENDED:  # its own log may be JSON too
            return text
        if said in (TRAIN_RUNS, TRAIN_ENDED):
            self._train_runs = said == TRAIN_RUNS
        return output

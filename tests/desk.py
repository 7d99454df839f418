"""Helpers of the tests of the author's desk: a terminal, a recorded report, folders of files."""

import io
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from entrypoint.report import Report
from tests.station import PATIENCE_S, REPOSITORY

# A terminal that a session leader opens becomes its controlling one.
_WITH_TERMINAL = 'exec "$@" <"$0" >"$0" 2>&1'


class Said(Report):
    """A report that remembers what was said."""

    def __init__(self) -> None:
        self._lines = io.StringIO()
        super().__init__(stream=self._lines)

    @property
    def text(self) -> str:
        return self._lines.getvalue()


def pht_on_terminal(
    arguments: Sequence[str | Path], answers: Sequence[bytes] = ()
) -> tuple[int, str]:
    """Run the program on a terminal of its own, typing an answer at every prompt.

    Returns:
        The exit status and everything that the terminal showed.
    """
    master, slave = os.openpty()
    program = [sys.executable, "-m", "entrypoint", *map(str, arguments)]
    process = subprocess.Popen(
        ["sh", "-c", _WITH_TERMINAL, os.ttyname(slave), *program],
        cwd=REPOSITORY,
        stdin=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        shown = _converse(master, list(answers))
        return process.wait(PATIENCE_S), shown.decode()
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _converse(master: int, answers: list[bytes]) -> bytes:
    shown = b""
    while select.select([master], [], [], PATIENCE_S)[0]:
        try:
            shown += os.read(master, 4096)
        except OSError:  # how Linux says that nobody has the terminal open any more
            return shown
        if answers and shown.endswith(b": "):
            os.write(master, answers.pop(0) + b"\n")
    raise TimeoutError(f"the command waits for something, after: {shown!r}")


def plant(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files with their contents below a folder and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder

"""What the tests of the author's desk share: the command line, with and without a terminal."""

import io
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from entrypoint.report import Report

REPOSITORY = Path(__file__).parents[1]
COMMAND = (sys.executable, "-m", "entrypoint")

# A terminal that a session leader opens becomes its controlling one.
_WITH_TERMINAL = 'exec "$@" <"$0" >"$0" 2>&1'
_SILENCE_S = 60


class Said(Report):
    """A report that remembers what was said."""

    def __init__(self) -> None:
        self.lines = io.StringIO()
        super().__init__(stream=self.lines)

    @property
    def text(self) -> str:
        return self.lines.getvalue()


def environment(**values: str) -> dict[str, str]:
    """Return this process's environment with `values`, fit to start the command line anywhere."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), **values}


def pht(*arguments: str | Path, **values: str) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal, with `values` in its environment."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(**values),
        check=False,
        timeout=_SILENCE_S,
    )


def pht_on_terminal(
    arguments: Sequence[str | Path], answers: Sequence[bytes] = ()
) -> tuple[int, str]:
    """Run a command on a terminal of its own, typing an answer at every prompt.

    Returns:
        The exit status and everything that the terminal showed.
    """
    master, slave = os.openpty()
    command = ["sh", "-c", _WITH_TERMINAL, os.ttyname(slave), *COMMAND, *map(str, arguments)]
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=environment()
    )
    os.close(slave)
    try:
        shown = _converse(master, list(answers))
        return process.wait(_SILENCE_S), shown.decode()
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _converse(master: int, answers: list[bytes]) -> bytes:
    shown = b""
    while select.select([master], [], [], _SILENCE_S)[0]:
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


def tree(folder: Path) -> dict[str, tuple[int, bytes | str | None]]:
    """Return everything below a folder: mode and contents of files, targets of links, folders."""
    found: dict[str, tuple[int, bytes | str | None]] = {}
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        content: bytes | str | None = None
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        found[str(path.relative_to(folder))] = (mode, content)
    return found

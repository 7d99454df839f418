"""Folders of installed packages, kept below `.venv` until what they are made of changes."""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.containers.engine import Unavailable
from tests.station import REPOSITORY

KEPT = REPOSITORY / ".venv"


def keep(name: str, made_of: Iterable[bytes], fill: Callable[[Path], object]) -> Path:
    """Return the folder of this name, filled anew if what it is made of has changed.

    Args:
        name: of the folder.
        made_of: the locks of its packages, and what else has to be as it was.
        fill: makes the folder; may raise Unavailable.
    """
    folder = KEPT / name
    content = hashlib.sha256(b"".join(made_of)).hexdigest()
    ready = folder / "ready"
    KEPT.mkdir(exist_ok=True)
    with (KEPT / f"{name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # several workers may want the same folder
        if not ready.exists() or ready.read_text() != content:
            shutil.rmtree(folder, ignore_errors=True)
            fill(folder)
            ready.write_text(content)
    return folder


def install(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a program that installs packages.

    Raises:
        Unavailable: it fails, as it does if its registry cannot be reached.
    """
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{command[0]} installs nothing: {done.stderr.strip()[-500:]}")

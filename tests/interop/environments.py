"""The published package, every version in an environment of its own below `.venv`."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.containers.engine import Unavailable

HERE = Path(__file__).parent
KEPT = Path(__file__).parents[2] / ".venv"

ROUTE_VERSION = "2.0.5"
"""The version of the published package that has the route generation."""


def make(version: str) -> Path:
    """Return the Python of the environment, made anew if that or its locks have changed.

    Raises:
        Unavailable: it cannot be made, because PyPI cannot be reached.
    """
    folder = KEPT / f"published-{version}"
    python = folder / "bin" / "python"
    locks = [HERE / "requirements.txt", HERE / f"published-{version}.txt"]
    made_of = [sys.version.encode(), *(lock.read_bytes() for lock in locks)]
    content = hashlib.sha256(b"".join(made_of)).hexdigest()
    ready = folder / "ready"
    KEPT.mkdir(exist_ok=True)
    with (KEPT / f"published-{version}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # several workers may want the same environment
        if not ready.exists() or ready.read_text() != content:
            _fill(folder, locks)
            ready.write_text(content)
    return python


def _fill(folder: Path, locks: Sequence[Path]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "venv", folder)
    options = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    options += ["--only-binary", ":all:", "--require-hashes"]
    for lock in locks:
        _run(folder / "bin" / "python", "-m", "pip", "install", *options, "--requirement", lock)


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip()[-500:]
        raise Unavailable(f"no environment for the published package: {reason}")

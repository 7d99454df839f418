"""The published package, every version in an environment of its own below `.venv`."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.kept import install, keep

HERE = Path(__file__).parent

ROUTE_VERSION = "2.0.5"
"""The version of the published package that has the route generation."""


def make(version: str) -> Path:
    """Return the Python of the environment, made anew if that or its locks have changed.

    Raises:
        Unavailable: it cannot be made, because PyPI cannot be reached.
    """
    locks = [HERE / "requirements.txt", HERE / f"published-{version}.txt"]
    made_of = [sys.version.encode(), *(lock.read_bytes() for lock in locks)]
    return keep(f"published-{version}", made_of, partial(_fill, locks)) / "bin" / "python"


def _fill(locks: Sequence[Path], folder: Path) -> None:
    install(sys.executable, "-m", "venv", folder)
    options = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    options += ["--only-binary", ":all:", "--require-hashes"]
    for lock in locks:
        install(folder / "bin" / "python", "-m", "pip", "install", *options, "--requirement", lock)

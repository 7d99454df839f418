"""Fixtures: Node.js, and the modules of the users' desktop application."""

import shutil
from pathlib import Path

import pytest

from tests.containers.engine import Unavailable
from tests.containers.fixtures import or_skip
from tests.kept import install, keep

LOCKS = [Path(__file__).with_name(name) for name in ("package.json", "package-lock.json")]


@pytest.fixture(scope="session")
def node() -> str:
    """The interpreter of JavaScript."""
    return or_skip(lambda: _program("node"))


@pytest.fixture(scope="session")
def modules(node: str) -> Path:
    """The folder in which the modules of the application are installed."""
    made_of = [lock.read_bytes() for lock in LOCKS]
    return or_skip(lambda: keep("desktop", made_of, _install))


def _install(folder: Path) -> None:
    npm = _program("npm")
    folder.mkdir()
    for lock in LOCKS:
        shutil.copy(lock, folder)
    install(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"no {name} on the PATH")
    return found

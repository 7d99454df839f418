"""Fixtures: Node.js, the modules of the users' desktop application, and what opens exports."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.containers.engine import Unavailable
from tests.containers.fixtures import or_skip
from tests.desktop.exports import Open
from tests.kept import install, keep

SCRIPT = Path(__file__).with_name("open_results.mjs")
PATIENCE_S = 60

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


@pytest.fixture(params=["with Node.js alone", "with the modules of the application"])
def open_results(node: str, request: pytest.FixtureRequest) -> Open:
    """A function that opens an export in another language."""
    more = [] if "alone" in request.param else [request.getfixturevalue("modules")]

    def run(archive: Path, key: Path) -> dict[str, bytes]:
        done = subprocess.run(
            [node, SCRIPT, archive, key, *more],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout).items()
        return {path: base64.b64decode(content) for path, content in found}

    return run


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

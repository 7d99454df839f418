"""Modules that come from one file of bytecode instead of their sources."""

import marshal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.station import REPOSITORY

SHOWS = """
import sys
sys.path[:0] = sys.argv[1:]
from entrypoint.bytecode import use
use(sys.argv[1])
import package, package.inner
print(package.name, package.inner.name)
assert package.inner.__file__ == sys.argv[1] + "/package/inner.py"
"""
OTHER_PYTHON = "cpython-39"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the sources of a package, in which every module calls itself `source`."""
    (tmp_path / "package").mkdir()
    for module in ("__init__", "inner"):
        (tmp_path / "package" / f"{module}.py").write_text("name = 'source'")
    return tmp_path


def gather(home: Path, *modules: str, tag: str | None = sys.implementation.cache_tag) -> None:
    """Write a file in which modules call themselves `file`."""
    code = marshal.dumps(compile("name = 'file'", "", "exec"))
    paths = {"package": "package/__init__.py", "package.inner": "package/inner.py"}
    found = {name: (str(home / paths[name]), code) for name in modules}
    (home / f"modules.{tag}").write_bytes(marshal.dumps(found))


def shown(home: Path) -> str:
    """Import the package and its module in a process of its own, and return their names."""
    command = [sys.executable, "-I", "-B", "-c", SHOWS, str(home), str(REPOSITORY)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def test_what_is_in_the_file_is_taken_from_there(home: Path) -> None:
    gather(home, "package", "package.inner")
    assert shown(home) == "file file"


def test_what_is_not_in_the_file_is_found_beside_it(home: Path) -> None:
    gather(home, "package")
    assert shown(home) == "file source"


def test_the_file_of_another_python_is_passed_over(home: Path) -> None:
    gather(home, "package", "package.inner", tag=OTHER_PYTHON)
    assert shown(home) == "source source"

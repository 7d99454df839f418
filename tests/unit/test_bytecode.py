"""Modules that come from one file of bytecode instead of their sources."""

import marshal
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.bytecode import file_name, pack, stamp
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


PATHS = {"package": "package/__init__.py", "package.inner": "package/inner.py"}


def gather(home: Path, *modules: str, file: str = file_name(), bound: bool = False) -> None:
    """Write a file in which modules call themselves `file`.

    Args:
        home: the folder of the file and the package.
        modules: those that are in the file.
        file: what it is called.
        bound: whether the modules are to be taken from there only while their sources stay.
    """
    index = {}
    codes = b""
    for name in modules:
        code = marshal.dumps(compile(f"name = 'file' # {name}", "", "exec"))
        source = str(home / PATHS[name])
        place = len(codes), len(codes) + len(code)
        index[name] = source, stamp(source) if bound else None, *place
        codes += code
    (home / file).write_bytes(pack(index, codes))


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
    gather(home, "package", "package.inner", file=f"modules.{OTHER_PYTHON}")
    assert shown(home) == "source source"


def test_the_file_is_named_after_the_version_of_python() -> None:
    assert file_name() == f"modules.{sys.implementation.cache_tag}"


@pytest.mark.parametrize("length", [0, 3, 20, -1], ids="{} bytes".format)
def test_a_file_that_was_cut_is_passed_over(length: int, home: Path) -> None:
    gather(home, "package", "package.inner")
    file = home / file_name()
    file.write_bytes(file.read_bytes()[:length])
    assert shown(home) == "source source"


def test_the_file_for_a_standard_library_elsewhere_is_passed_over(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "__file__", "/elsewhere/os.py")
    gather(home, "package", "package.inner")
    assert shown(home) == "source source"


def test_a_module_whose_source_stays_is_taken_from_the_file(home: Path) -> None:
    gather(home, "package", "package.inner", bound=True)
    assert shown(home) == "file file"


def touch(source: Path) -> None:
    os.utime(source, (1, 1))


def lengthen(source: Path) -> None:
    """Change the size of a file, but not its time."""
    found = source.stat()
    source.write_text("name = 'source'  # longer")
    os.utime(source, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize("change", [touch, lengthen])
def test_a_module_whose_source_was_exchanged_is_taken_from_there(
    change: Callable[[Path], None], home: Path
) -> None:
    gather(home, "package", "package.inner", bound=True)
    change(home / PATHS["package.inner"])
    assert shown(home) == "file source"


def test_a_module_whose_source_is_gone_is_gone(home: Path) -> None:
    gather(home, "package", "package.inner", bound=True)
    (home / PATHS["package.inner"]).unlink()
    with pytest.raises(subprocess.CalledProcessError):
        shown(home)

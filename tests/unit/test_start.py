"""How the program starts and exits, in processes of its own."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoint import __main__, crypto
from tests import reference
from tests.station import REPOSITORY

PROGRAM = REPOSITORY / "entrypoint" / "__main__.py"


def run_at_desk(
    *arguments: str, stdout: int = subprocess.PIPE
) -> "subprocess.CompletedProcess[bytes]":
    """Run the program as a desk does, with its stdout buffered."""
    command = [sys.executable, "-m", "entrypoint", *arguments]
    env = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, cwd=REPOSITORY, env=env, stdout=stdout, stderr=subprocess.PIPE)


def test_a_reader_who_has_left_does_not_change_the_exit_status() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run_at_desk("help", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", [["help"], ["export", "--output", "-"]], ids=" ".join)
def test_a_full_disk_below_stdout_is_reported_once(arguments: list[str], tmp_path: Path) -> None:
    reference.lay_out(2, tmp_path)
    root = ["--root", str(tmp_path)] if len(arguments) > 1 else []
    with open("/dev/full", "wb") as full:
        done = run_at_desk(*arguments, *root, stdout=full.fileno())
    assert done.returncode == 74
    assert b"Exception ignored" not in done.stderr


# --- requirements --------------------------------------------------------------------------------

OLD_PYTHON = """
import runpy, sys
sys.version_info, sys.version = (3, 6, 15, "final", 0), "3.6.15 (default)"
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_this_python(*command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run this Python, in an environment that holds nothing else."""
    env = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(
        [sys.executable, *command], cwd=REPOSITORY, env=env, capture_output=True, text=True
    )


@pytest.mark.parametrize("arguments", [["check"], ["--as-entrypoint", "python"]], ids=" ".join)
def test_an_older_python_is_named(arguments: list[str]) -> None:
    done = run_this_python("-c", OLD_PYTHON, str(PROGRAM), *arguments)
    error, hint, *status = done.stderr.splitlines()
    assert done.returncode == 71
    assert error == (
        f"pht: error: this program needs Python 3.11 or newer, but {sys.executable} is 3.6.15 "
        "[python-too-old]"
    )
    assert hint.startswith("pht: hint: ")
    as_entrypoint = arguments[0] == "--as-entrypoint"
    assert [line[:41] for line in status] == [
        "pht: result=refused status=71 code=python"
    ] * as_entrypoint


def test_an_older_python_is_refused_without_a_stderr() -> None:
    closed = (
        "import os, sys; os.close(2); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    done = run_this_python("-c", closed, "-c", OLD_PYTHON, str(PROGRAM), "check")
    assert done.returncode == 71


def test_an_older_python_can_read_what_names_it() -> None:
    for file in (PROGRAM, PROGRAM.with_name("__init__.py")):
        assert ast.parse(file.read_text(), feature_version=(3, 6)).body


@pytest.mark.parametrize(
    "arguments", [["keygen", "k"], ["--as-entrypoint", "python"]], ids=" ".join
)
def test_a_missing_cryptography_is_named(arguments: list[str]) -> None:
    done = run_this_python("-I", "-S", "-B", str(PROGRAM), *arguments)
    assert done.returncode == 71
    assert "needs cryptography 45 or newer, but there is none [cryptography-missing]" in done.stderr
    assert f"\npht: hint: install cryptography 45 or newer for {sys.executable}" in done.stderr
    assert "code=cryptography-missing" in done.stderr.splitlines()[-1]


def test_an_older_cryptography_is_named(tmp_path: Path) -> None:
    package = tmp_path / "cryptography" / "__init__.py"
    package.parent.mkdir()
    package.write_text('__version__ = "44.0.3"\n')
    done = run_this_python("-m", "entrypoint", "check", PYTHONPATH=str(tmp_path))
    assert done.returncode == 71
    assert f"but {package} is version 44.0.3 [cryptography-too-old]" in done.stderr


def test_a_broken_installation_of_cryptography_is_named(tmp_path: Path) -> None:
    (tmp_path / "cryptography").mkdir()
    (tmp_path / "cryptography" / "__init__.py").touch()
    done = run_this_python("-m", "entrypoint", "check", PYTHONPATH=str(tmp_path))
    assert done.returncode == 71
    assert "is version 0 [cryptography-too-old]" in done.stderr


def test_the_oldest_versions_are_those_of_the_package() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text()
    python = re.findall(r'requires-python = ">=(\d+)\.(\d+)"', project)
    assert python == [tuple(map(str, __main__.PYTHON))]
    assert re.findall(r'"cryptography>=(\d+),', project) == [str(crypto.CRYPTOGRAPHY)]

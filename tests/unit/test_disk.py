"""Free space, on a real file system of known size."""

import ast
from pathlib import Path

import pytest

from entrypoint.linux.disk import free_bytes
from tests.mount_namespace import run_python

MIB = 1024 * 1024


def test_free_space_is_what_can_still_be_written(tmp_path: Path) -> None:
    code = """
import subprocess, sys
from pathlib import Path
from entrypoint.linux.disk import free_bytes
here = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", here], check=True)
before = free_bytes(here)
(here / "file").write_bytes(bytes(before - 1024 * 1024))
print((before, free_bytes(here)))
"""
    assert ast.literal_eval(run_python(code, tmp_path)) == (8 * MIB, MIB)


def test_free_space_of_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        free_bytes(tmp_path / "absent")

"""Files in memory are told from others, in real mounts of a mount namespace."""

import ast
from pathlib import Path

import pytest

from entrypoint.linux.mounts import mount_of
from tests.mount_namespace import run_python

CODE = """
import subprocess, sys
from pathlib import Path
from entrypoint.linux.shared_memory import keeps_files_in_memory
here = Path(sys.argv[1])
def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)
def overlay(name, writable):
    for folder in (here / "lower", writable / "upper", writable / "work", here / name):
        folder.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={here}/lower,upperdir={writable}/upper,workdir={writable}/work"
    mount("-t", "overlay", "overlay", "-o", options, here / name)
    return keeps_files_in_memory(here / name)
(here / "memory").mkdir()
mount("-t", "tmpfs", "tmpfs", here / "memory")
print([
    keeps_files_in_memory(here / "memory"),
    overlay("over memory", here / "memory"),
    keeps_files_in_memory(here),
    overlay("over a disk", here / "disk"),
    keeps_files_in_memory(here / "nothing"),
])
"""

FULL = """
import subprocess, sys
from pathlib import Path
from entrypoint.linux.shared_memory import keeps_files_in_memory
here = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", here], check=True)
found = []
for _ in range(2):
    with (here / "file").open("ab", buffering=0) as file:
        file.write(bytes(128 * 1024))
    found.append(keeps_files_in_memory(here))
print(found)
"""


def test_an_overlay_is_in_memory_if_its_upper_layer_is(tmp_path: Path) -> None:
    if mount_of(tmp_path).fs_type == "tmpfs":
        pytest.skip("needs temporary files on a disk")

    assert ast.literal_eval(run_python(CODE, tmp_path)) == [True, True, False, False, False]


def test_memory_that_is_full_ends_no_process(tmp_path: Path) -> None:
    """Where a page of a mapped file has no room, the kernel sends SIGBUS."""
    assert ast.literal_eval(run_python(FULL, tmp_path)) == [True, False]

"""Free space and flushing, on a real file system of known size."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoint.linux.disk import free_bytes, syncfs
from tests.faults.strace import Call, Strace, Unavailable, read
from tests.mount_namespace import REPOSITORY, run_python

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


@pytest.fixture
def strace() -> Strace:
    try:
        return Strace.find()
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_a_folder_is_flushed(tmp_path: Path, strace: Strace) -> None:
    code = "import sys; from entrypoint.linux.disk import syncfs; syncfs(sys.argv[1])"
    log, folder = tmp_path / "log", tmp_path / "folder"
    folder.mkdir()
    command = [*strace.tracing(log), sys.executable, "-B", "-c", code, str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    [call] = [call for call in read(log) if call.name == "syncfs"]
    assert call.succeeded
    assert str(folder) in call.text


def test_what_could_not_be_written_is_an_error(tmp_path: Path, strace: Strace) -> None:
    code = """
import sys
from pathlib import Path
from entrypoint.linux.disk import syncfs
try:
    syncfs(Path(sys.argv[1]))
except OSError as error:
    print(error.strerror)
"""
    failing = strace.injecting(Call("syncfs", 1, "", succeeded=False), "error=EIO")
    command = [*failing, sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert done.stdout == b"Input/output error\n"


def test_flushing_what_is_no_folder_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        syncfs(tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        syncfs(tmp_path / "absent")

"""Flushing: what is asked of the kernel, and what it reports."""

import subprocess
import sys
from pathlib import Path

import pytest

from entrypoint.linux.durable import syncfs
from tests.faults.strace import Call, Strace, Unavailable, read
from tests.mount_namespace import REPOSITORY


@pytest.fixture
def strace() -> Strace:
    try:
        return Strace.find()
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_a_folder_is_flushed(tmp_path: Path, strace: Strace) -> None:
    code = "import sys; from entrypoint.linux.durable import syncfs; syncfs(sys.argv[1])"
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
from entrypoint.linux.durable import syncfs
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

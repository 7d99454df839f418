"""Durable writing: which calls it makes in which order, and which errors it reports."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoint.files.attributes import Attributes
from entrypoint.linux.durable import put, replace, reserve, syncfs, temporary_file
from tests.faults.strace import Call, Strace, Unavailable, read_calls
from tests.mount_namespace import REPOSITORY


@pytest.fixture
def strace() -> Strace:
    try:
        return Strace.find()
    except Unavailable as reason:
        pytest.skip(str(reason))


OWN = Attributes(0o640, os.geteuid(), os.getegid())


def test_a_file_gets_new_contents_and_attributes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    replace(tmp_path / "file", b"new", OWN)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_is_flushed_before_it_gets_its_name_and_the_folder_after(
    tmp_path: Path, strace: Strace
) -> None:
    code = """
import os, sys
from pathlib import Path
from entrypoint.files.attributes import Attributes
from entrypoint.linux.durable import replace
replace(Path(sys.argv[1]), b"new", Attributes(0o640, os.geteuid(), os.getegid()))
"""
    log, folder = tmp_path / "log", tmp_path / "folder"
    folder.mkdir()
    command = [*strace.tracing(log), sys.executable, "-B", "-c", code, str(folder / "file")]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    made = [call.change for call in read_calls(log) if call.succeeded and str(folder) in call.text]
    assert made == ["write", "fchmod", "fchown", "fsync", "rename", "fsync"]


@pytest.mark.parametrize("name", ["file", "file.pht"])
def test_a_planted_link_is_replaced_and_not_written_through(name: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"of somebody else")
    (tmp_path / name).symlink_to("elsewhere")
    put(tmp_path / "file", b"new", OWN)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == b"of somebody else"


def test_space_can_be_reserved_more_than_once_and_is_used_up(tmp_path: Path) -> None:
    for _ in range(2):
        reserve(tmp_path / "file", 100_000)
    reserved = temporary_file(tmp_path / "file").stat()
    assert reserved.st_size == 100_000
    assert reserved.st_blocks * 512 >= 100_000
    put(tmp_path / "file", b"new", OWN)
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_is_flushed(tmp_path: Path, strace: Strace) -> None:
    code = "import sys; from entrypoint.linux.durable import syncfs; syncfs(sys.argv[1])"
    log, folder = tmp_path / "log", tmp_path / "folder"
    folder.mkdir()
    command = [*strace.tracing(log), sys.executable, "-B", "-c", code, str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    [call] = [call for call in read_calls(log) if call.name == "syncfs"]
    assert call.succeeded
    assert str(folder) in call.text


def test_what_could_not_be_written_is_an_error(tmp_path: Path, strace: Strace) -> None:
    code = """
import sys
from pathlib import Path
from entrypoint.files.attributes import Attributes
from entrypoint.linux.durable import put, replace, reserve, syncfs, temporary_file
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

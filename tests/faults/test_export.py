"""An export that was killed at any of its calls is made by the next start, and is durable."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import reference
from tests.faults.strace import Strace, read_calls, spread
from tests.station import PATIENCE_S, REPOSITORY


@pytest.fixture
def export_command(tmp_path: Path) -> list[str]:
    """The command that exports a train of the vectors to `out/train.tar`."""
    reference.lay_out(2, tmp_path)
    (tmp_path / "out").mkdir()
    options = ["--root", str(tmp_path), "--output", str(tmp_path / "out" / "train.tar")]
    return [sys.executable, "-m", "entrypoint", "export", *options]


def status_of(*command: str) -> int:
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=PATIENCE_S)
    return done.returncode


def test_the_file_is_durable_before_it_has_its_name_and_the_name_before_the_end(
    export_command: list[str], strace: Strace, tmp_path: Path
) -> None:
    assert status_of(*strace.tracing(tmp_path / "calls"), *export_command) == 0

    calls = [call for call in read_calls(tmp_path / "calls") if call.change != "write"]
    assert [call.change for call in calls[-4:]] == ["fsync", "link", "unlink", "fsync"]
    written, flushed = calls[-4], calls[-1]
    assert written.text.endswith("/out/train.tar.part>")
    assert flushed.text.endswith("/out>")


def test_whenever_it_was_killed_the_next_one_is_complete(
    export_command: list[str], strace: Strace, tmp_path: Path
) -> None:
    output = tmp_path / "out" / "train.tar"
    assert status_of(*strace.tracing(tmp_path / "calls"), *export_command) == 0
    whole = output.read_bytes()
    for call in spread(read_calls(tmp_path / "calls"), 12):
        output.unlink(missing_ok=True)
        assert status_of(*strace.injecting(call, "signal=KILL"), *export_command) == -9

        had_its_name = output.exists()
        assert status_of(*export_command) == (74 if had_its_name else 0)
        assert output.read_bytes() == whole
        # For a moment the file has both names.
        left = {"train.tar", "train.tar.part"} if had_its_name else {"train.tar"}
        assert {path.name for path in output.parent.iterdir()} <= left
        if had_its_name:
            output.unlink()
            assert status_of(*export_command) == 0
            assert [path.name for path in output.parent.iterdir()] == ["train.tar"]


@pytest.mark.parametrize("error", ["EPERM", "EOPNOTSUPP"])
def test_a_share_without_hard_links_takes_exports(
    error: str, export_command: list[str], strace: Strace, tmp_path: Path
) -> None:
    assert status_of(*strace.failing("?link,?linkat", error), *export_command) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["train.tar"]
    assert status_of(*strace.failing("?link,?linkat", error), *export_command) == 74


@pytest.mark.parametrize("error", ["ENOLCK", "ENOSYS"])
def test_a_share_that_knows_no_locks_takes_exports(
    error: str, export_command: list[str], strace: Strace, tmp_path: Path
) -> None:
    (tmp_path / "out" / "train.tar.part").write_bytes(b"left over")
    assert status_of(*strace.failing("flock", error), *export_command) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["train.tar"]

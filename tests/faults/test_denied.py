"""System calls that some kernels, file systems and profiles of seccomp do not have."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.injection import CLOSER, OPENER
from tests.faults.second_stop import SecondStop
from tests.faults.strace import Strace, read_calls


def in_both(tool: Sequence[str]) -> dict[int, Sequence[str]]:
    """Return what has opener and closer traced by a tool."""
    return {OPENER: tool, CLOSER: tool}


def test_a_forbidden_faccessat2_does_not_mean_that_files_may_not_be_replaced(
    arrived: SecondStop, strace: Strace, tmp_path: Path
) -> None:
    train = arrived.copy_to(tmp_path / "train")
    bound: Sequence[str] = ()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs the setpriv command, or another user than root")
        bound = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
        subprocess.run(["chown", "--recursive", "--no-dereference", "0:0", train.opt], check=True)

    tool = strace.failing("faccessat2", "EPERM")
    done = train.start("run", under=bound, parts=in_both(tool))

    assert (done.status, done.facts["result"]) == (0, "visited"), done.stderr


ACCESS = "?access,faccessat,?faccessat2"


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_a_kernel_that_does_not_answer_has_not_forbidden_anything(
    error: str, arrived: SecondStop, strace: Strace, tmp_path: Path
) -> None:
    train = arrived.copy_to(tmp_path / "train")

    done = train.start("run", parts=in_both(strace.failing(ACCESS, error)))

    assert done.status == 0, done.stderr
    train.require_end()


def test_a_file_that_nobody_may_change_is_named_before_anything_is_opened(
    arrived: SecondStop, strace: Strace, tmp_path: Path
) -> None:
    """The kernel reports an immutable file with the same error as a denied call."""
    train = arrived.copy_to(tmp_path / "train")
    path = train.opt / "pht_results" / "counts.csv"

    done = train.start("run", parts=in_both(strace.failing(ACCESS, "EPERM", at=[path])))

    assert (done.status, done.code, done.facts["state"]) == (78, "place-unsuitable", "unchanged")
    assert str(path) in done.stderr
    train.require_beginning()


@pytest.mark.parametrize("error", ["EIO", "ESTALE"])
def test_an_error_of_the_disk_is_not_taken_for_a_missing_permission(
    error: str, arrived: SecondStop, strace: Strace, tmp_path: Path
) -> None:
    train = arrived.copy_to(tmp_path / "train")
    path = train.opt / "pht_results" / "counts.csv"

    done = train.start("run", parts=in_both(strace.failing(ACCESS, error, at=[path])))

    assert (done.status, done.code, done.facts["state"]) == (74, "storage-failed", "unchanged")
    assert str(path) in done.stderr
    train.require_beginning()


@pytest.mark.parametrize("name", ["arrived", "arrived_by_route"])
def test_results_are_not_given_up_for_an_error_of_the_disk(
    name: str, strace: Strace, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    arrived: SecondStop = request.getfixturevalue(name)
    train = arrived.copy_to(tmp_path / "train")
    path = train.opt / "pht_results" / "counts.csv"
    tool = strace.failing(ACCESS, "EIO", at=[path])

    done = train.start("run", parts={CLOSER: tool})

    assert (done.status, done.code, done.facts["state"]) == (74, "storage-failed", "unfinished")
    assert str(path) in done.stderr
    assert (train.state(), train.runs) == ("succeeded", 1)
    train.finish("succeeded")
    assert train.runs == 1


def test_a_folder_that_cannot_be_flushed_by_itself_is_flushed_with_its_file_system(
    arrived: SecondStop, strace: Strace, tmp_path: Path
) -> None:
    train = arrived.copy_to(tmp_path / "train")
    tool = strace.failing("fsync", "EINVAL", at=[train.opt, train.opt / "pht_results"])

    done = train.start("run", parts=in_both(tool))

    assert done.status == 0, done.stderr
    train.require_end()


def test_what_others_have_lost_does_not_count_where_a_folder_cannot_be_flushed_by_itself(
    arrived: SecondStop, strace: Strace, tmp_path: Path
) -> None:
    train = arrived.copy_to(tmp_path / "train")
    places = [train.opt, train.opt / "pht_results"]
    tool = strace.failing("fsync", "EINVAL", at=places)
    tool += ["--trace=fsync,syncfs", "--inject=syncfs:error=EIO"]

    done = train.start("run", parts=in_both(tool))

    assert done.status == 0, done.stderr
    train.require_end()


# syncfs(2) reports lost data of all users' files


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("name", ["arrived", "arrived_by_route"])
def test_an_error_of_other_files_on_the_disk_does_not_throw_results_away(
    name: str, error: str, strace: Strace, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    arrived: SecondStop = request.getfixturevalue(name)
    train = arrived.copy_to(tmp_path / "train")

    done = train.start("run", parts=in_both(strace.failing("syncfs", error)))

    assert done.status == 0, done.stderr
    train.require_end()


def test_every_file_is_then_asked_about(
    arrived: SecondStop, strace: Strace, tmp_path: Path
) -> None:
    train = arrived.copy_to(tmp_path / "train")
    log = tmp_path / "calls"
    tool = [*strace.tracing(log), "--inject=syncfs:error=EIO"]
    assert train.start("run", parts={CLOSER: tool}).status == 0
    flushed = {call.text for call in read_calls(log) if call.name == "fsync" and call.succeeded}
    results = train.opt / "pht_results"
    for path in (results, *results.rglob("*")):
        if path.name.isascii() and not path.is_symlink():  # of others the tool shows the bytes
            assert [text for text in flushed if f"<{path}>" in text], path


def test_what_was_lost_of_ours_is_an_error(
    arrived: SecondStop, strace: Strace, tmp_path: Path
) -> None:
    train = arrived.copy_to(tmp_path / "train")
    results = train.opt / "pht_results"
    tool = strace.failing("syncfs,fsync", "EIO", at=[results, results / "counts.csv"])

    done = train.start("run", parts=in_both(tool))

    assert (done.status, done.facts["code"]) == (74, "storage-failed"), done.stderr
    train.finish(train.state())

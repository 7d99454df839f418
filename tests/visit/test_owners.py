"""Owners and modes before, during and after a visit whose train has a user of its own.

The train acts in a forked process, between pre-run and post-run.
"""

import errno
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoint.recovery.state import VisitState
from entrypoint.visit.opener import Opener
from tests import reference
from tests.other_user import as_user, needs_root
from tests.station import (
    in_process,
    new_route_train,
    new_train,
    opened,
    settle,
    snapshot,
)
from tests.visit.conftest import Mount

USER = 10001
ARRIVED = 1234
FILES = {"code/helper.py": b"HELP = 1", "large": bytes(2**20 + 1)}
FIRST_KEY = reference.vector_key("station_1", private=True)

pytestmark = needs_root


@pytest.fixture(autouse=True)
def own_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every train opened for a user of its own."""
    opens = Opener.open
    monkeypatch.setattr(
        Opener,
        "open",
        lambda opener, train, data, **_: opens(opener, train, data, owner=(USER, USER)),
    )


@pytest.fixture(params=[new_train, new_route_train], ids=["flat", "route"])
def opt(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A train before its first stop, of any owner and mode, where other users may go."""
    with TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        opt: Path = request.param(Path(root), "", FILES)
        settle(Path(root), "station_1")
        (opt / "pht_results" / "empty").mkdir(mode=0o700)
        (opt / "pht_train" / "code").chmod(0o755)
        (opt / "pht_train" / "code" / "helper.py").chmod(0o666)
        (opt / "pht_train" / "large").chmod(0o600)
        (opt / "train_config.json").chmod(0o666)
        os.chown(opt / "pht_train" / "code", USER, USER)
        os.chown(opt / "pht_train" / "large", USER, 0)
        os.chown(opt / "pht_results", ARRIVED, ARRIVED)
        opt.chmod(0o777)
        yield opt


def run_as_the_train(opt: Path) -> None:
    """Write results, and files beside the signed ones; fail to change these."""

    def command() -> None:
        os.umask(0o077)
        results, train = opt / "pht_results", opt / "pht_train"
        (results / "inner").mkdir()
        (results / "inner" / "small").write_bytes(b"small")
        (results / "large").write_bytes(bytes(2**20 + 1))
        (results / "again").hardlink_to(results / "large")
        (results / "link").symlink_to("inner/small")
        (results / "empty" / "file").touch()
        (train / "code" / "__pycache__").mkdir()
        (train / "code" / "__pycache__" / "helper.pyc").touch()
        (train / "large").read_bytes()

    assert as_user(USER, command) == 0
    for name in ("large", "code/helper.py"):
        signed = opt / "pht_train" / name
        assert as_user(USER, partial(signed.chmod, 0o777)) == errno.EPERM
        assert as_user(USER, partial(signed.write_bytes, b"")) == errno.EACCES


RESULTS = {
    "again": bytes(2**20 + 1),
    "empty/file": b"",
    "inner/small": b"small",
    "large": bytes(2**20 + 1),
}


def outside_results(opt: Path) -> dict[str, tuple[int, tuple[int, int]]]:
    """Return modes and owners of everything but the results and the user's envelope."""
    return {
        path: (node.mode, node.owner)
        for path, node in snapshot(opt).items()
        if not path.startswith(("pht_results", "user_sym_key.key"))
    }


def owners(opt: Path) -> set[tuple[int, int]]:
    """Return the owners of the results and their folder."""
    results = opt / "pht_results"
    return {(path.lstat().st_uid, path.lstat().st_gid) for path in (results, *results.rglob("*"))}


def test_sealed_results_get_the_owner_of_their_folder_and_the_rest_is_as_before(opt: Path) -> None:
    before = outside_results(opt)
    assert in_process("pre-run", opt.parent).status == 0
    assert owners(opt) == {(USER, USER)}
    run_as_the_train(opt)

    done = in_process("post-run", opt.parent)

    assert done.status == 0, done.stderr
    assert outside_results(opt) == before
    assert owners(opt) == {(ARRIVED, ARRIVED)}
    assert (opt / "pht_results" / "inner" / "small").stat().st_mode & 0o777 == 0o600
    assert opened(opt) == RESULTS


def test_the_next_stop_opens_them_for_its_train_again(opt: Path) -> None:
    assert in_process("pre-run", opt.parent).status == 0
    run_as_the_train(opt)
    assert in_process("post-run", opt.parent).status == 0
    settle(opt.parent, "station_2")
    before = snapshot(opt)

    assert in_process("pre-run", opt.parent).status == 0
    assert owners(opt) == {(USER, USER)}
    for name, contents in RESULTS.items():
        result = opt / "pht_results" / name
        assert result.read_bytes() == contents
        assert as_user(USER, partial(result.write_bytes, b"new")) == 0
    assert in_process("undo", opt.parent).status == 0

    assert snapshot(opt) == before


def test_undo_restores_everything(opt: Path) -> None:
    before = snapshot(opt)
    assert in_process("pre-run", opt.parent).status == 0
    run_as_the_train(opt)
    done = in_process("undo", opt.parent)
    assert done.status == 0, done.stderr
    assert snapshot(opt) == before


class Killed(BaseException):
    pass


def killed(*_: object) -> None:
    raise Killed


def test_a_visit_that_was_killed_before_the_commit_is_finished_alike(
    opt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = outside_results(opt)
    assert in_process("pre-run", opt.parent).status == 0
    run_as_the_train(opt)
    with monkeypatch.context() as patched:
        patched.setattr(VisitState, "finish", killed)
        with pytest.raises(Killed):
            in_process("post-run", opt.parent)

    done = in_process("post-run", opt.parent)

    assert done.status == 0, done.stderr
    assert outside_results(opt) == before
    assert owners(opt) == {(ARRIVED, ARRIVED)}
    assert opened(opt) == RESULTS


def test_results_on_a_mount_are_writable_and_the_work_folder_in_it_is_not(
    opt: Path, mount: Mount
) -> None:
    results = opt / "pht_results"
    mount(results, "-t", "tmpfs", "-o", f"size=32m,mode=2755,uid={ARRIVED},gid={ARRIVED}", "tmpfs")
    (results / "empty").mkdir(mode=0o700)
    before, folder = outside_results(opt), snapshot(results)["."]
    assert in_process("pre-run", opt.parent).status == 0
    rename = partial((results / ".pht-visit").rename, results / "x")
    assert as_user(USER, rename) == errno.EPERM
    run_as_the_train(opt)

    done = in_process("post-run", opt.parent)

    assert done.status == 0, done.stderr
    assert outside_results(opt) == before
    assert snapshot(results)["."] == folder
    assert owners(opt) == {(ARRIVED, ARRIVED)}
    assert opened(opt) == RESULTS

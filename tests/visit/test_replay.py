"""Visits at a station with a ledger: which states of a train board, and which are refused."""

import fcntl
import os
import shutil
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from tests import reference
from tests.ledger import (
    FIRST,
    REPLAYS,
    SECOND,
    SESSION,
    THIRD,
    WIRES,
    add_stop,
    entries,
    give_ledger,
    lay_out_at,
    share_ledger,
)
from tests.station import (
    RUNS_TRAIN,
    Done,
    assert_explained,
    finish,
    in_process,
    journal,
    pht,
    settle,
    snapshot,
    start,
    visit,
    wait_until,
)
from tests.unprotected import UNPROTECTED
from tests.visit.conftest import Mount

each_wire = pytest.mark.parametrize("wire", WIRES.values(), ids=[*WIRES])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The second station, with a ledger."""
    settle(tmp_path, SECOND)
    give_ledger(tmp_path)
    return tmp_path


@pytest.fixture
def ledger(root: Path) -> Path:
    return root / "var" / "lib" / "pht"


def assert_boards(root: Path, replay: str = "checked") -> Done:
    done = visit(root)
    assert (done.status, done.facts["result"]) == (0, "visited"), done.stderr
    assert done.facts["replay"] == replay
    return done


# --- what boards ---------------------------------------------------------------------------------


@each_wire
def test_a_state_boards_as_often_as_it_comes_and_newer_ones_after_it(
    wire: ModuleType, root: Path, ledger: Path
) -> None:
    """The same one comes again if the push behind its visit was lost."""
    kept = root / "kept"
    shutil.copytree(lay_out_at(root, wire, FIRST), kept)
    assert_boards(root)
    sealed = pht("check", root=root)
    assert (sealed.status, sealed.code) == (0, "already-visited")
    shutil.rmtree(root / "opt")
    shutil.copytree(kept, root / "opt")
    assert_boards(root)
    [entry] = entries(ledger)
    assert (entry["session"], entry["stops"]) == (SESSION, 1)
    settle(root, THIRD)
    assert_boards(root)
    [entry] = entries(ledger)
    assert entry["stops"] == 2


def test_without_a_ledger_the_status_line_says_unchecked(tmp_path: Path) -> None:
    settle(tmp_path, SECOND)
    lay_out_at(tmp_path, reference, FIRST)
    assert_boards(tmp_path, "unchecked")


@each_wire
def test_a_train_that_fails_has_boarded(wire: ModuleType, root: Path, ledger: Path) -> None:
    lay_out_at(root, wire, FIRST, script="raise SystemExit(3)")
    done = visit(root)
    assert (done.status, done.facts["state"]) == (3, "unchanged")
    assert len(entries(ledger)) == 1


def test_what_pre_run_has_opened_is_sealed_as_checked(root: Path, ledger: Path) -> None:
    lay_out_at(root, reference, FIRST)
    assert pht("pre-run", root=root).facts["replay"] == "checked"
    assert len(entries(ledger)) == 1
    assert pht("post-run", root=root).facts["replay"] == "checked"


@pytest.mark.parametrize("damage", ["forgotten", "damaged"])
def test_results_are_sealed_whatever_becomes_of_the_entry(
    damage: str, root: Path, ledger: Path
) -> None:
    lay_out_at(root, reference, FIRST)
    assert pht("pre-run", root=root).status == 0
    [path] = ledger.glob("*.json")
    path.write_bytes(b"") if damage == "damaged" else path.unlink()
    done = pht("post-run", root=root)
    assert (done.status, done.facts["replay"]) == (0, "unchecked"), done.stderr


# --- what is refused -----------------------------------------------------------------------------


def assert_replay_refused(root: Path, code: str) -> None:
    """Check that every command refuses a train alike, and that the disk is as before."""
    before = snapshot(root)
    for done in (
        visit(root),
        *(in_process(command, root) for command in ("check", "query", "pre-run")),
    ):
        assert_explained(done, 76, code)
        assert (done.facts["state"], done.facts["stage"]) == ("unchanged", "verify")
        assert (done.facts["by"], done.facts["replay"]) == ("station", "checked")
        assert snapshot(root) == before


@each_wire
@pytest.mark.parametrize("name", REPLAYS)
def test_a_replay_is_refused_until_its_entry_is_forgotten(
    name: str, wire: ModuleType, root: Path
) -> None:
    lay_out_at(root, wire, FIRST)
    assert_boards(root)
    code, offer = REPLAYS[name]
    offer(root, wire)
    assert_replay_refused(root, code)
    assert pht("ledger", "--forget", SESSION[:16], root=root).status == 0
    assert_boards(root)


def test_an_older_state_is_refused(root: Path) -> None:
    """Only where there is no order: a stop of a route always has as many before it."""
    lay_out_at(root, reference, FIRST, THIRD)
    assert_boards(root)
    lay_out_at(root, reference, FIRST)
    assert_replay_refused(root, "older-state")


@each_wire
def test_the_station_may_let_a_replay_pass(wire: ModuleType, root: Path, ledger: Path) -> None:
    lay_out_at(root, wire, FIRST)
    assert_boards(root)
    [before] = entries(ledger)
    lay_out_at(root, wire, FIRST, result=b"2")
    kept = root / "kept"
    shutil.copytree(root / "opt", kept)
    settle(root, SECOND, PHT_REPLAY="allow")
    done = assert_boards(root, "allowed")
    [warning] = [line for line in done.lines if "PHT_REPLAY=allow: " in line]
    assert warning.startswith("pht: warning: PHT_REPLAY=allow: this train boarded here at 2")
    [after] = entries(ledger)
    assert after["state"] != before["state"]
    shutil.rmtree(root / "opt")
    shutil.copytree(kept, root / "opt")
    settle(root, SECOND)
    assert_boards(root)


@each_wire
def test_forged_results_are_never_recorded(wire: ModuleType, root: Path, ledger: Path) -> None:
    opt = lay_out_at(root, wire, FIRST)
    (opt / "pht_results" / "result").write_bytes(b"forged")
    assert_explained(visit(root), 77, "results-unverified")
    assert entries(ledger) == []


def test_a_damaged_entry_is_named(root: Path, ledger: Path) -> None:
    lay_out_at(root, reference, FIRST)
    assert pht("pre-run", root=root).status == 0
    assert pht("undo", root=root).status == 0
    [path] = ledger.glob("*.json")
    path.write_bytes(b"")
    before = snapshot(root)
    done = visit(root)
    assert_explained(done, 78, "ledger-damaged")
    assert str(path) in done.stderr
    assert snapshot(root) == before


# --- two at once ---------------------------------------------------------------------------------


@each_wire
def test_of_two_forks_at_once_exactly_one_boards(wire: ModuleType, tmp_path: Path) -> None:
    """Both are opened before either has boarded: the lock is held by this test until then."""
    shared = tmp_path / "ledger"
    roots = [tmp_path / "one", tmp_path / "other"]
    for root, result in zip(roots, (b"1", b"2"), strict=True):
        lay_out_at(root, wire, FIRST, result=result)
        settle(root, SECOND)
        share_ledger(root, shared)
    before = {root: snapshot(root) for root in roots}
    with (shared / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        visits = {root: start("run", "--", *RUNS_TRAIN, root=root) for root in roots}
        for root in roots:
            wait_until(partial(is_open, root))
    ended = {root: finish(process) for root, process in visits.items()}
    [refused] = [root for root, done in ended.items() if done.status != 0]
    assert_explained(ended[refused], 76, "forked-state")
    assert ended[refused].facts["state"] == "unchanged"
    assert snapshot(refused) == before[refused]
    assert len(entries(shared)) == 1


def is_open(root: Path) -> bool:
    """Return whether a visit has put the plaintext in place."""
    try:
        return bool(journal(root)["phase"] == "open")
    except KeyError:  # it has not begun
        return False


def test_a_stop_reaches_a_visit_that_waits_for_the_lock(root: Path, ledger: Path) -> None:
    lay_out_at(root, reference, FIRST)
    before = snapshot(root / "opt")
    with (ledger / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start("run", "--", *RUNS_TRAIN, root=root)
        wait_until(partial(is_open, root))
        process.terminate()
        done = finish(process)
    assert (done.status, done.facts["result"]) == (143, "stopped"), done.stderr
    assert snapshot(root / "opt") == before
    assert entries(ledger) == []


# --- the folder ----------------------------------------------------------------------------------


def test_a_full_disk_keeps_the_old_entry(root: Path, ledger: Path, mount: Mount) -> None:
    mount(ledger, "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs")
    lay_out_at(root, reference, FIRST)
    assert pht("pre-run", root=root).status == 0
    assert pht("undo", root=root).status == 0
    [old] = entries(ledger)
    add_stop(root / "opt", reference, THIRD)
    before = snapshot(root)
    free = os.statvfs(ledger).f_bavail * os.statvfs(ledger).f_frsize
    (ledger / "filler").write_bytes(bytes(free))
    for command in ("run", "pre-run"):
        done = visit(root) if command == "run" else pht(command, root=root)
        assert_explained(done, 74, "ledger-not-written")
        assert (done.facts["retry"], done.facts["state"]) == ("yes", "unchanged")
        (ledger / "filler").unlink()
        assert snapshot(root) == before
        assert entries(ledger) == [old]
        (ledger / "filler").write_bytes(bytes(free))
    (ledger / "filler").unlink()
    assert_boards(root)


def test_a_ledger_that_is_mounted_read_only_is_refused(
    root: Path, ledger: Path, mount: Mount
) -> None:
    mount(ledger, "--bind", "-o", "ro", ledger)
    lay_out_at(root, reference, FIRST)
    for command in ("check", "pre-run"):
        done = in_process(command, root)
        assert_explained(done, 78, "ledger-unusable")
        assert f"may not write to {ledger}" in done.stderr


def test_a_ledger_that_another_mount_shows_to_the_train_is_refused(
    root: Path, ledger: Path, mount: Mount
) -> None:
    shown = root / "shown"
    shown.mkdir()
    lay_out_at(root, reference, FIRST)
    mount(shown, "--bind", root / "var")
    done = visit(root)
    assert_explained(done, 78, "ledger-reachable")
    assert f"below {shown} too" in done.stderr
    assert entries(ledger) == []


def test_a_ledger_that_belongs_to_the_trains_user_is_refused_without_landlock(
    root: Path, ledger: Path
) -> None:
    lay_out_at(root, reference, FIRST)
    before = snapshot(root)
    done = visit(root, under=UNPROTECTED)
    assert_explained(done, 78, "ledger-reachable")
    assert f"could reach {ledger} as uid {os.getuid()}" in done.stderr
    assert snapshot(root) == before


def test_a_host_driven_visit_keeps_no_ledger(root: Path) -> None:
    shutil.rmtree(root / "run")
    lay_out_at(root, reference)
    done = visit(root, env={"PHT_HOST_PROTOCOL": "1"})
    assert_explained(done, 78, "host-driven-contradicted")
    assert str(root / "var" / "lib" / "pht") in done.stderr

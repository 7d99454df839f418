"""Owners and modes of a train's places: while a train with a user of its own runs, and after."""

import errno
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoint.files.attributes import Attributes
from entrypoint.model import Paths
from entrypoint.recovery.journal import Journal, Phase
from entrypoint.recovery.ownership import record, restore, results_owner
from entrypoint.recovery.state import VisitState
from entrypoint.recovery.work_folder import WorkFolder
from tests.other_user import as_user, needs_root
from tests.station import Snapshot, snapshot
from tests.unfinished import KEY, NEW_CONFIG, begin, make_train

USER = 10001
TRAIN = (USER, USER)
STRANGER = 10002


@pytest.fixture
def paths() -> Iterator[Paths]:
    """A train that its own user could change if nobody cared, where other users may go."""
    with TemporaryDirectory() as shared:
        Path(shared).chmod(0o755)
        paths = make_train(Path(shared))
        modes = {
            "code.py": 0o644,
            "theirs.py": 0o644,
            "open.py": 0o666,
            "closed.py": 0o600,
            "group.py": 0o604,
        }
        (paths.train / "inner").mkdir()
        for name, mode in modes.items():
            for folder in (paths.train, paths.train / "inner"):
                (folder / name).write_bytes(b"signed")
                (folder / name).chmod(mode)
        (paths.train / "run.sh").write_bytes(b"#!/bin/sh\n")
        (paths.train / "run.sh").chmod(0o700)
        paths.opt.chmod(0o2770)
        paths.train.chmod(0o3777)
        (paths.train / "inner").chmod(0o700)
        if os.geteuid() == 0:
            for path in (paths.opt, paths.train / "inner", paths.train / "inner" / "theirs.py"):
                os.chown(path, USER, USER)
            os.chown(paths.train / "group.py", 0, USER)
            os.chown(paths.config, USER, 0)
            os.chown(paths.results / "tool", 1234, 1234)
        yield paths


# During the run

Action = Callable[[Paths], object]


def touch(path: Path) -> Path:
    path.touch()
    return path


ALLOWED: dict[str, Action] = {
    "read the configuration": lambda paths: paths.config.read_bytes(),
    "read a signed file": lambda paths: (paths.train / "closed.py").read_bytes(),
    "read one that others may read": lambda paths: (paths.train / "group.py").read_bytes(),
    "read a signed file in a folder": lambda paths: (paths.train / "inner/closed.py").read_bytes(),
    "run a signed file": lambda paths: subprocess.run([paths.train / "run.sh"], check=True),
    "list a folder": lambda paths: os.listdir(paths.train / "inner"),
    "write beside signed files": lambda paths: (paths.train / "inner/x").write_bytes(b""),
    "make a folder there": lambda paths: (paths.train / "__pycache__").mkdir(),
    "rename a file of its own there": lambda paths: touch(paths.train / "x").rename(
        paths.train / "y"
    ),
    "change a result": lambda paths: (paths.results / "tool").write_bytes(b"new"),
    "make a result": lambda paths: (paths.results / "folder/new").write_bytes(b"new"),
    "remove a result": lambda paths: (paths.results / "link").unlink(),
    "replace a result": lambda paths: (paths.results / "tool").rename(paths.results / "link"),
    "change the mode of the results": lambda paths: paths.results.chmod(0o700),
}

FORBIDDEN: dict[str, Action] = {
    "write a signed file": lambda paths: (paths.train / "code.py").write_bytes(b""),
    "write one that is open to all": lambda paths: (paths.train / "open.py").write_bytes(b""),
    "write one of its own": lambda paths: (paths.train / "inner/theirs.py").write_bytes(b""),
    "remove one": lambda paths: (paths.train / "inner/theirs.py").unlink(),
    "rename one": lambda paths: (paths.train / "code.py").rename(paths.train / "x"),
    "replace one": lambda paths: touch(paths.train / "x").rename(paths.train / "code.py"),
    "change its mode": lambda paths: (paths.train / "inner/theirs.py").chmod(0o777),
    "change the mode of a folder": lambda paths: (paths.train / "inner").chmod(0o777),
    "rename a folder": lambda paths: (paths.train / "inner").rename(paths.train / "x"),
    "rename pht_train": lambda paths: paths.train.rename(paths.opt / "x"),
    "rename pht_results": lambda paths: paths.results.rename(paths.opt / "x"),
    "write beside them": lambda paths: (paths.opt / "x").touch(),
    "write the configuration": lambda paths: paths.config.write_bytes(b""),
    "change its mode, too": lambda paths: paths.config.chmod(0o666),
    "remove the configuration": lambda paths: paths.config.unlink(),
    "look into the backup": lambda paths: (paths.opt / "pht_results.pht/backup").read_bytes(),
}


@needs_root
@pytest.mark.parametrize("action", ALLOWED.values(), ids=ALLOWED)
def test_a_train_may(action: Action, paths: Paths) -> None:
    begin(paths, train=TRAIN)
    assert as_user(USER, lambda: action(paths)) == 0


@needs_root
@pytest.mark.parametrize("action", FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_train_may_not(action: Action, paths: Paths) -> None:
    begin(paths, train=TRAIN)
    before = snapshot(paths.opt)
    assert as_user(USER, lambda: action(paths)) in (errno.EACCES, errno.EPERM)
    (paths.train / "x").unlink(missing_ok=True)
    assert snapshot(paths.opt) == before


@needs_root
@pytest.mark.parametrize("action", FORBIDDEN.values(), ids=FORBIDDEN)
def test_what_it_may_not_is_possible_without_protection(action: Action, paths: Paths) -> None:
    """The control of the test above: it would pass if an action failed for any other reason."""
    (paths.opt / "pht_results.pht").mkdir()
    (paths.opt / "pht_results.pht" / "backup").touch()
    subprocess.run(["chown", "-R", f"{USER}:{USER}", paths.opt], check=True)
    assert as_user(USER, lambda: action(paths)) == 0


@needs_root
def test_other_users_get_no_right_that_they_had_not(paths: Paths) -> None:
    begin(paths, train=TRAIN)
    assert as_user(STRANGER, lambda: os.listdir(paths.opt)) == errno.EACCES
    paths.opt.chmod(0o755)
    for path in ("pht_train/closed.py", "pht_train/inner", "train_config.json"):
        assert (paths.opt / path).stat().st_mode & 0o007 == 0


@needs_root
def test_everything_in_the_results_is_the_trains(paths: Paths) -> None:
    begin(paths, train=TRAIN)
    found = (paths.results, *paths.results.rglob("*"))
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in found} == {TRAIN}


@needs_root
@pytest.mark.parametrize("name", ["", "folder", "folder/new"])
def test_the_mode_of_a_result_keeps_the_train_from_nothing(name: str, paths: Paths) -> None:
    (paths.results / "folder" / "new").touch()
    (paths.results / name).chmod(0)
    begin(paths, train=TRAIN)
    assert as_user(USER, lambda: read_and_change(paths.results / name)) == 0


def read_and_change(path: Path) -> None:
    if path.is_dir():
        os.listdir(path)
        touch(path / "more")
    else:
        path.write_bytes(path.read_bytes())


# After it

Outcome = Callable[[VisitState], object]


def seal(state: VisitState) -> None:
    state.start_sealing(b"key")
    state.results.batch()
    state.finish(NEW_CONFIG, b"new envelope")


def go_back_without_backup(state: VisitState) -> None:
    state.results.backup.unlink()
    assert not state.go_back()


OUTCOMES: dict[str, Outcome] = {
    "sealed": seal,
    "restored": VisitState.go_back,
    "spent": go_back_without_backup,
}


def modes_and_owners(found: Snapshot) -> dict[str, tuple[int, tuple[int, int]]]:
    """Return those of everything but the results, which other tests compare."""
    return {
        path: (node.kind | node.mode, node.owner)
        for path, node in found.items()
        if not path.startswith("pht_results")
    }


def at_the_next_start(paths: Paths) -> VisitState:
    again = VisitState(paths, KEY)
    again.load()
    return again


@needs_root
@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
def test_modes_and_owners_are_those_of_the_arrival(
    outcome: Outcome, killed: bool, paths: Paths
) -> None:
    before = modes_and_owners(snapshot(paths.opt))
    state = begin(paths, train=TRAIN)
    assert modes_and_owners(snapshot(paths.opt)) != before

    outcome(at_the_next_start(paths) if killed else state)

    after = modes_and_owners(snapshot(paths.opt))
    key = after.pop("user_sym_key.key")
    assert key in (before.pop("user_sym_key.key"), before["train_config.json"])
    assert after == before


@needs_root
def test_a_kill_before_the_commit_leaves_the_rest_to_the_next_start(paths: Paths) -> None:
    before = modes_and_owners(snapshot(paths.opt))
    begin(paths, train=TRAIN).start_sealing(b"key")
    state = VisitState(paths, KEY)
    found = state.load()
    assert isinstance(found, Journal)
    assert found.phase is Phase.SEALING
    state.finish(NEW_CONFIG, b"new envelope")
    after = modes_and_owners(snapshot(paths.opt))
    del before["user_sym_key.key"], after["user_sym_key.key"]
    assert after == before


@needs_root
@pytest.mark.parametrize("phase", [Phase.OPENING, Phase.OPEN, Phase.WAITING, Phase.SUCCEEDED])
def test_going_back_from_any_phase_restores_everything(phase: Phase, paths: Paths) -> None:
    before = snapshot(paths.opt)
    begin(paths, phase, train=TRAIN)
    assert at_the_next_start(paths).go_back()
    assert snapshot(paths.opt) == before


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
def test_a_train_with_the_runners_user_leaves_no_mode_behind(
    outcome: Outcome, paths: Paths
) -> None:
    before = modes_and_owners(snapshot(paths.opt))
    state = begin(paths)
    for path in (paths.opt, paths.results, paths.train, paths.train / "inner"):
        path.chmod(0o705)
    paths.config.chmod(0o606)

    outcome(state)

    after = modes_and_owners(snapshot(paths.opt))
    del before["user_sym_key.key"], after["user_sym_key.key"]
    assert after == before


def test_the_journal_is_as_the_configuration_except_while_the_train_runs(paths: Paths) -> None:
    arrived = Attributes.of(paths.config)
    assert Attributes.of(paths.config) == arrived
    state = begin(paths, Phase.OPENING, train=TRAIN)
    assert Attributes.of(paths.config) == arrived
    state.open({"pht_results": None})
    assert Attributes.of(paths.config) == Attributes(0o640, os.geteuid(), USER)
    state.enter(Phase.WAITING)
    assert Attributes.of(paths.config) == arrived


@needs_root
def test_the_folder_of_results_that_are_lost_is_as_it_arrived(paths: Paths) -> None:
    before = snapshot(paths.results)["."]
    go_back_without_backup(begin(paths, train=TRAIN))
    assert snapshot(paths.results) == {".": before}


# What is recorded


def test_only_folders_are_recorded_and_files_that_the_run_changes(paths: Paths) -> None:
    works = [WorkFolder(paths.results)]
    folders = {".", "pht_results", "pht_train", "pht_train/inner"}
    assert record(paths, works, None).keys() == folders
    changed = {"open.py", "closed.py", "inner/open.py", "inner/closed.py", "run.sh"}
    if os.geteuid() == 0:
        changed |= {"inner/theirs.py", "group.py"}
    assert record(paths, works, TRAIN).keys() == folders | {f"pht_train/{x}" for x in changed}


def test_special_bits_are_recorded_unless_the_visit_opens_the_tree(paths: Paths) -> None:
    paths.results.chmod(0o2750)
    results, train = WorkFolder(paths.results), WorkFolder(paths.train)
    places = record(paths, [results], None)
    assert [stat.S_IMODE(places[name].mode) for name in (".", "pht_results", "pht_train")] == [
        0o2770,
        0o750,
        0o3777,
    ]
    assert stat.S_IMODE(record(paths, [results, train], None)["pht_train"].mode) == 0o777


def test_the_owner_of_sealed_results_is_that_of_their_folder_or_of_opt() -> None:
    places = {".": Attributes(0o40755, 1, 2), "pht_results": Attributes(0o40755, 3, 4)}
    assert results_owner(places) == (3, 4)
    del places["pht_results"]
    assert results_owner(places) == (1, 2)


# Places that the train has replaced


@pytest.mark.parametrize("replaced", ["pht_train", "pht_train/inner", "pht_train/closed.py"])
def test_a_link_in_a_place_is_not_followed(replaced: str, paths: Paths, tmp_path: Path) -> None:
    places = record(paths, [WorkFolder(paths.results)], TRAIN)
    elsewhere = tmp_path / "elsewhere"
    (paths.opt / replaced).rename(elsewhere)
    subprocess.run(["chmod", "-R", "u=rwX,go=", elsewhere], check=True)
    before = snapshot(tmp_path)
    (paths.opt / replaced).symlink_to(elsewhere)

    restore(paths.opt, places)

    assert snapshot(tmp_path) == before


def test_a_place_that_is_gone_or_of_another_kind_is_left_alone(paths: Paths) -> None:
    places = record(paths, [WorkFolder(paths.results)], TRAIN)
    (paths.train / "closed.py").unlink()
    (paths.train / "run.sh").unlink()
    (paths.train / "run.sh").mkdir(mode=0o750)
    before = snapshot(paths.train)
    restore(paths.opt, places)
    assert snapshot(paths.train) == before

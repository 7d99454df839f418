"""Going back restores the old state, or the visit is spent."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.model import Paths
from entrypoint.recovery.journal import Journal, Phase
from entrypoint.recovery.state import VisitState
from entrypoint.recovery.work_folder import WorkFolder
from tests.station import snapshot
from tests.unfinished import (
    BEFORE_SEALING,
    FOUR_NAMES,
    JOURNAL,
    KEY,
    NEW_CONFIG,
    OLD_CONFIG,
    back_up,
    begin,
    restart,
    user_key_of,
)


@pytest.mark.parametrize("phase", BEFORE_SEALING)
def test_going_back_restores_every_byte(phase: Phase, paths: Paths) -> None:
    before = snapshot(paths.opt)
    begin(paths, phase)
    after_restart = VisitState(paths, KEY)
    after_restart.load()
    assert after_restart.go_back()
    assert snapshot(paths.opt) == before


def test_going_back_restores_whatever_the_train_has_done_to_the_results(paths: Paths) -> None:
    before = snapshot(paths.opt)
    state = begin(paths)
    (paths.results / "tool").unlink()
    (paths.results / "folder" / "counts").chmod(0)
    (paths.results / "locked").mkdir(mode=0)
    (paths.results / "added").write_bytes(b"plain")
    assert state.go_back()
    assert snapshot(paths.opt) == before


@pytest.mark.parametrize("replacement", ["nothing", "file", "link", "folder"])
@pytest.mark.parametrize("place", ["results", "config"])
def test_going_back_restores_what_the_train_has_replaced(
    replacement: str, place: str, paths: Paths, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"of somebody else")
    before, names = snapshot(paths.results), sorted(os.listdir(paths.opt))
    state = begin(paths)
    path: Path = getattr(paths, place)
    subprocess.run(["rm", "-r", path], check=True)
    match replacement:
        case "file":
            path.write_bytes(b"planted")
        case "link":
            path.symlink_to(outside)
        case "folder":
            path.mkdir()
            (path / "planted").write_bytes(b"")
    assert state.go_back()
    assert sorted(os.listdir(paths.opt)) == names
    assert snapshot(paths.results) == before
    assert paths.config.read_bytes() == OLD_CONFIG
    assert (outside / "file").read_bytes() == b"of somebody else"


def test_results_that_did_not_exist_are_gone_after_going_back(paths: Paths) -> None:
    subprocess.run(["rm", "-r", paths.results], check=True)
    state = VisitState(paths, KEY)
    state.begin(JOURNAL)
    with state.backing_up(state.results) as writer:
        pass
    state.open({"pht_results": writer.tag()})
    paths.results.mkdir()
    (paths.results / "added").write_bytes(b"plain")
    assert state.go_back()
    assert not paths.results.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_going_back_restores_owners(paths: Paths) -> None:
    os.chown(paths.results / "tool", 1234, 5678)
    os.chown(paths.config, 1234, 5678)
    before = snapshot(paths.opt)
    assert begin(paths).go_back()
    assert snapshot(paths.opt) == before


# Two trees


def begin_both(paths: Paths, phase: Phase = Phase.OPEN, *, backup: bool = True) -> VisitState:
    """Bring a visit that opens the definition too into a phase."""
    (paths.train / "code.py").write_bytes(b"sealed code")
    state = VisitState(paths, KEY)
    both = {"pht_results": None, "pht_train": None}
    state.begin(JOURNAL._replace(backups=both, user_key=user_key_of(paths)))
    works = (state.results, state.train)
    tags = {work.name: back_up(state, work) if backup else None for work in works}
    if phase is Phase.OPENING:
        return state
    state.open(tags)
    (paths.results / "tool").write_bytes(b"plain tool")
    (paths.train / "code.py").write_bytes(b"plain code")
    return state


@pytest.mark.parametrize("phase", [Phase.OPENING, Phase.OPEN])
def test_going_back_restores_both_trees(phase: Phase, paths: Paths) -> None:
    begin_both(paths, phase)
    after_restart = VisitState(paths, KEY)
    after_restart.load()
    assert after_restart.go_back()
    assert (paths.train / "code.py").read_bytes() == b"sealed code"
    assert (paths.results / "tool").read_bytes() == b"sealed tool"
    assert restart(paths) == OLD_CONFIG
    assert sorted(os.listdir(paths.opt)) == FOUR_NAMES


@pytest.mark.parametrize("name", ["results", "train"])
def test_of_two_trees_both_are_scrubbed_if_one_cannot_come_back(name: str, paths: Paths) -> None:
    state = begin_both(paths)
    work: WorkFolder = getattr(state, name)
    work.backup.unlink()
    assert_spent(state, paths)
    assert os.listdir(paths.train) == []


def test_the_commit_removes_both_work_folders(paths: Paths) -> None:
    state = begin_both(paths)
    state.start_sealing(b"envelope")
    for work in (state.results, state.train):
        work.batch()
    state.finish(NEW_CONFIG, b"new envelope")
    assert restart(paths) == NEW_CONFIG
    assert sorted(os.listdir(paths.opt)) == FOUR_NAMES


# A backup that is missing or damaged


def assert_spent(state: VisitState, paths: Paths) -> None:
    """Check that going back removes the plaintext and says so in the journal."""
    assert not state.go_back()
    found = restart(paths)
    assert isinstance(found, Journal)
    assert found.phase is Phase.SPENT
    assert os.listdir(paths.results) == []
    assert not state.results.path.exists()


@pytest.mark.parametrize("phase", [Phase.OPEN, Phase.WAITING])
def test_a_visit_without_a_backup_is_spent(phase: Phase, paths: Paths) -> None:
    assert_spent(begin(paths, phase, backup=False), paths)


def test_a_visit_without_a_backup_goes_back_while_no_result_is_replaced(
    paths: Paths,
) -> None:
    before = snapshot(paths.opt)
    assert begin(paths, Phase.OPENING, backup=False).go_back()
    assert snapshot(paths.opt) == before


def add_entry(name: str, kind: str, link: str = "") -> Callable[[Path], None]:
    """Return a change that appends an entry to a backup."""

    def damage(backup: Path) -> None:
        with backup.open("a") as file:
            file.write(json.dumps((name, kind, link, 0o644, 0, 0, 0, 0)) + "\n")

    return damage


def cut_at(text: bytes) -> Callable[[Path], None]:
    """Return a change that cuts a backup off in front of a text."""
    return lambda backup: os.truncate(backup, backup.read_bytes().rindex(text))


def empty(backup: Path) -> None:
    backup.write_bytes(b"")


def replace_bytes(backup: Path) -> None:
    data = backup.read_bytes()
    assert b"sealed counts" in data
    backup.write_bytes(data.replace(b"sealed counts", b"forged counts"))


def replace_by_folder(backup: Path) -> None:
    backup.unlink()
    backup.mkdir()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "removed": Path.unlink,
    "empty": empty,
    "a folder": replace_by_folder,
    "cut inside a line": cut_at(b'file"'),
    "cut inside a file": cut_at(b"tool"),
    "one entry less": cut_at(b'["tool"'),
    "another content": replace_bytes,
    "a file outside": add_entry("../outside", "file"),
    "an absolute path": add_entry("/tmp/outside", "file"),
    "a link out of it": add_entry("folder/out", "symlink", "../../.."),
    "a hard link out of it": add_entry("config", "hard link", "../train_config.json"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_backup_that_the_train_has_damaged_is_not_restored(
    damage: Callable[[Path], None], paths: Paths, tmp_path: Path
) -> None:
    state = begin(paths)
    damage(state.results.backup)
    assert_spent(state, paths)
    assert os.listdir(tmp_path) == ["opt"]


def test_a_work_folder_that_became_a_link_is_not_followed(paths: Paths, tmp_path: Path) -> None:
    state = begin(paths)
    state.results.path.rename(tmp_path / "elsewhere")
    state.results.path.symlink_to(tmp_path / "elsewhere")
    before = snapshot(tmp_path / "elsewhere")
    assert_spent(state, paths)
    assert snapshot(tmp_path / "elsewhere") == before

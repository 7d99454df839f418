"""The state of a visit on disk, one phase at a time; kills and errors are tried in tests/faults."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entrypoint.errors import IntegrityError, MalformedTrain, MissingInput, SystemFailure
from entrypoint.files.attributes import Attributes
from entrypoint.files.tree import Kind, walk
from entrypoint.limits import CONFIG_BYTES
from entrypoint.model import Paths
from entrypoint.recovery.journal import Journal, Phase, SavedFile
from entrypoint.recovery.state import VisitState, lock
from entrypoint.recovery.work_folder import WorkFolder
from tests.station import snapshot

KEY = b"k" * 32
OLD_CONFIG = b'{"train_id": "t", "user_he_key": "he"}'
NEW_CONFIG = b'{"train_id": "t", "e_d": "new"}'
JOURNAL = Journal(
    phase=Phase.OPENING,
    station="station_1",
    session_id="5e" * 64,
    config=OLD_CONFIG,
    attributes=Attributes(0o640, os.getuid(), os.getgid()),
    backups={"pht_results": None},
    public={"user_he_key": "he"},
)
FOUR_NAMES = ["pht_results", "pht_train", "train_config.json", "user_sym_key.key"]
BEFORE_SEALING = [Phase.OPENING, Phase.OPEN, Phase.WAITING, Phase.SUCCEEDED]
FIELDS: dict[str, Any] = {
    "version": 0,
    "phase": "sealing",
    "station": "station_2",
    "session_id": "00" * 64,
    "config": '{"train_id": "other"}',
    "attributes": [0o666, 1, 1],
    "backups": {"pht_results": "00" * 32},
    "user_key": ["00", 0o666, 1, 1],
    "key": "00",
}
"""Every field of a journal, with a value that nobody has recorded."""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A train that has made a stop."""
    paths = Paths(tmp_path)
    (paths.results / "folder").mkdir(parents=True)
    paths.train.mkdir()
    (paths.results / "folder" / "counts").write_bytes(b"sealed counts")
    (paths.results / "tool").write_bytes(b"sealed tool")
    (paths.results / "tool").chmod(0o750)
    os.link(paths.results / "tool", paths.results / "same tool")
    (paths.results / "link").symlink_to("tool")
    paths.config.write_bytes(OLD_CONFIG)
    paths.config.chmod(0o640)
    paths.user_key.write_bytes(b"old envelope")
    return paths


def user_key_of(paths: Paths) -> SavedFile:
    """Return what a journal keeps of the user's envelope."""
    return SavedFile(paths.user_key.read_bytes(), Attributes.of(paths.user_key))


def begin(paths: Paths, phase: Phase = Phase.OPEN, *, backup: bool = True) -> VisitState:
    """Bring a visit into a phase."""
    state = VisitState(paths, KEY)
    attributes = Attributes.of(paths.config)
    state.begin(JOURNAL._replace(attributes=attributes, user_key=user_key_of(paths)))
    (state.results.large / "tool").write_bytes(b"plain tool")
    tag = keep(state, state.results) if backup else None
    if phase is Phase.OPENING:
        return state
    state.open({"pht_results": tag})
    (state.results.large / "tool").replace(paths.results / "tool")
    if phase in (Phase.WAITING, Phase.SUCCEEDED):
        state.enter(phase)
    if phase is Phase.SEALING:
        state.start_sealing(b"envelope")
    return state


def keep(state: VisitState, work: WorkFolder) -> bytes:
    """Keep an old tree, as the decryption does, and return the tag."""
    with state.backing_up(work) as old:
        for entry in walk(work.tree):
            is_file = entry.kind is Kind.FILE
            old.add(entry, [(work.tree / entry.path).read_bytes()] if is_file else ())
    return old.tag()


def restart(paths: Paths, key: bytes = KEY) -> bytes | Journal:
    """Return what a runner that is started now finds."""
    return VisitState(paths, key).load()


def document(paths: Paths) -> dict[str, Any]:
    """Return what stands in the place of the configuration."""
    found: dict[str, Any] = json.loads(paths.config.read_bytes())
    return found


# --- the way of a visit --------------------------------------------------------------------------


def test_a_complete_configuration_is_returned_as_it_is(paths: Paths) -> None:
    assert restart(paths) == OLD_CONFIG


@pytest.mark.parametrize("phase", [*BEFORE_SEALING, Phase.SEALING])
def test_the_next_start_finds_the_phase_and_the_old_configuration(
    phase: Phase, paths: Paths
) -> None:
    begin(paths, phase)
    found = restart(paths)
    assert isinstance(found, Journal)
    assert (found.phase, found.config, found.station) == (phase, OLD_CONFIG, "station_1")
    assert found.key == (b"envelope" if phase is Phase.SEALING else None)


def test_a_running_train_finds_the_field_that_it_may_read(paths: Paths) -> None:
    begin(paths)
    assert document(paths)["user_he_key"] == "he"


def test_the_work_folder_is_nobody_elses(paths: Paths) -> None:
    assert begin(paths).results.path.stat().st_mode & 0o777 == 0o700


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
def test_going_back_restores_what_the_train_has_put_something_else_in_place_of(
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
    with state.backing_up(state.results) as old:
        pass
    state.open({"pht_results": old.tag()})
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


def test_the_commit_leaves_the_four_paths_of_a_train_and_the_mode_of_its_configuration(
    paths: Paths,
) -> None:
    state = begin(paths, Phase.SEALING)
    state.results.batch()
    state.finish(NEW_CONFIG, b"new envelope")
    assert restart(paths) == NEW_CONFIG
    assert paths.user_key.read_bytes() == b"new envelope"
    assert paths.config.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(paths.opt)) == FOUR_NAMES


def test_a_configuration_that_would_make_the_journal_unreadable_is_refused(paths: Paths) -> None:
    config = b'{"fill": "' + b"x" * (CONFIG_BYTES - 4096) + b'"}'
    paths.config.write_bytes(config)
    state = VisitState(paths, KEY)
    with pytest.raises(MalformedTrain, match="too large"):
        state.begin(JOURNAL._replace(config=config))
    assert restart(paths) == config


# --- two trees -----------------------------------------------------------------------------------


def begin_both(paths: Paths, phase: Phase = Phase.OPEN, *, backup: bool = True) -> VisitState:
    """Bring a visit that opens the definition too into a phase."""
    (paths.train / "code.py").write_bytes(b"sealed code")
    state = VisitState(paths, KEY)
    both = {"pht_results": None, "pht_train": None}
    state.begin(JOURNAL._replace(backups=both, user_key=user_key_of(paths)))
    works = (state.results, state.train)
    tags = {work.name: keep(state, work) if backup else None for work in works}
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
    require_spent(state, paths)
    assert os.listdir(paths.train) == []


def test_the_commit_removes_both_work_folders(paths: Paths) -> None:
    state = begin_both(paths)
    state.start_sealing(b"envelope")
    for work in (state.results, state.train):
        work.batch()
    state.finish(NEW_CONFIG, b"new envelope")
    assert restart(paths) == NEW_CONFIG
    assert sorted(os.listdir(paths.opt)) == FOUR_NAMES


# --- without the old results ---------------------------------------------------------------------


def require_spent(state: VisitState, paths: Paths) -> None:
    """Fail unless going back removes the plaintext and says so in the journal."""
    assert not state.go_back()
    found = restart(paths)
    assert isinstance(found, Journal)
    assert found.phase is Phase.SPENT
    assert os.listdir(paths.results) == []
    assert not state.results.path.exists()


@pytest.mark.parametrize("phase", [Phase.OPEN, Phase.WAITING])
def test_a_visit_that_kept_nothing_is_spent(phase: Phase, paths: Paths) -> None:
    require_spent(begin(paths, phase, backup=False), paths)


def test_a_visit_that_kept_nothing_goes_back_as_long_as_no_result_is_replaced(
    paths: Paths,
) -> None:
    before = snapshot(paths.opt)
    assert begin(paths, Phase.OPENING, backup=False).go_back()
    assert snapshot(paths.opt) == before


def add_entry(name: str, kind: str, link: str = "") -> Callable[[Path], None]:
    """Return what appends an entry to what is kept."""

    def damage(old: Path) -> None:
        with old.open("a") as file:
            file.write(json.dumps((name, kind, link, 0o644, 0, 0, 0, 0)) + "\n")

    return damage


def cut_at(text: bytes) -> Callable[[Path], None]:
    """Return what cuts off what is kept, in front of a text."""
    return lambda old: os.truncate(old, old.read_bytes().rindex(text))


def empty(old: Path) -> None:
    old.write_bytes(b"")


def replace_bytes(old: Path) -> None:
    data = old.read_bytes()
    assert b"sealed counts" in data
    old.write_bytes(data.replace(b"sealed counts", b"forged counts"))


def replace_by_folder(old: Path) -> None:
    old.unlink()
    old.mkdir()


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
def test_what_the_train_has_changed_among_the_old_results_is_not_put_back(
    damage: Callable[[Path], None], paths: Paths, tmp_path: Path
) -> None:
    state = begin(paths)
    damage(state.results.backup)
    require_spent(state, paths)
    assert os.listdir(tmp_path) == ["opt"]


def test_a_work_folder_that_became_a_link_is_not_followed(paths: Paths, tmp_path: Path) -> None:
    state = begin(paths)
    state.results.path.rename(tmp_path / "elsewhere")
    state.results.path.symlink_to(tmp_path / "elsewhere")
    before = snapshot(tmp_path / "elsewhere")
    require_spent(state, paths)
    assert snapshot(tmp_path / "elsewhere") == before


# --- journals and files that others have planted -------------------------------------------------


def require_forged(paths: Paths, key: bytes = KEY) -> None:
    """Fail unless the journal is refused and nothing is touched."""
    before = snapshot(paths.opt, times=True)
    with pytest.raises(IntegrityError) as refused:
        restart(paths, key)
    assert refused.value.code == "journal-forged"
    assert snapshot(paths.opt, times=True) == before


def test_a_journal_of_another_version_is_left_to_that_version(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoint.recovery.journal._VERSION", 1)
    begin(paths)
    monkeypatch.undo()
    before = snapshot(paths.opt, times=True)
    with pytest.raises(SystemFailure) as refused:
        restart(paths)
    assert refused.value.code == "journal-of-other-version"
    assert snapshot(paths.opt, times=True) == before


def test_the_fields_of_a_journal_are_all_known_here(paths: Paths) -> None:
    begin(paths)
    assert document(paths)["pht_visit"].keys() == FIELDS.keys()


@pytest.mark.parametrize("name", FIELDS)
def test_no_field_of_a_journal_can_be_changed(name: str, paths: Paths) -> None:
    begin(paths)
    forged = document(paths)
    assert forged["pht_visit"][name] != FIELDS[name]
    forged["pht_visit"][name] = FIELDS[name]
    paths.config.write_text(json.dumps(forged))
    require_forged(paths)


@pytest.mark.parametrize("name", FIELDS)
def test_no_field_of_a_journal_can_be_left_out(name: str, paths: Paths) -> None:
    begin(paths)
    forged = document(paths)
    del forged["pht_visit"][name]
    paths.config.write_text(json.dumps(forged))
    require_forged(paths)


@pytest.mark.parametrize("name", ["pht_visit", "pht_mac"])
@pytest.mark.parametrize("value", [None, "", "ü", "\ud800", 1, [], {}])
def test_a_journal_of_another_shape_is_forged(name: str, value: Any, paths: Paths) -> None:
    begin(paths)
    paths.config.write_text(json.dumps(document(paths) | {name: value}))
    require_forged(paths)


@pytest.mark.parametrize("phase", [*BEFORE_SEALING, Phase.SEALING])
def test_a_journal_made_with_another_key_is_forged(phase: Phase, paths: Paths) -> None:
    begin(paths, phase)
    require_forged(paths, b"other key" * 4)


def test_the_authentication_of_another_journal_does_not_count(paths: Paths) -> None:
    begin(paths, Phase.OPEN)
    open_mac = document(paths)["pht_mac"]
    state = VisitState(paths, KEY)
    state.load()
    state.start_sealing(b"envelope")
    paths.config.write_text(json.dumps(document(paths) | {"pht_mac": open_mac}))
    require_forged(paths)


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
@pytest.mark.parametrize(
    "name", ["pht_results.pht", "pht_train.pht", "train_config.json.pht", "user_sym_key.key.pht"]
)
def test_what_is_planted_in_the_places_of_work_files_is_removed(
    name: str, kind: str, paths: Paths, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"of somebody else")
    before = snapshot(paths.opt)
    planted = paths.opt / name
    match kind:
        case "folder":
            (planted / "plain").mkdir(parents=True)
            (planted / "plain" / "numpy.py").write_bytes(b"planted")
        case "file":
            planted.write_bytes(b"planted")
        case "link":
            planted.symlink_to(outside)
    VisitState(paths, KEY).clear_waste()
    assert snapshot(paths.opt) == before
    assert (outside / "file").read_bytes() == b"of somebody else"


class Killed(BaseException):
    pass


@pytest.mark.parametrize("planted", ["sealed/0.pack", "sealed/folder/file", "other"])
def test_what_the_train_has_planted_is_gone_before_a_kill_could_have_it_taken_up(
    planted: str, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = begin(paths)
    path = state.results.path / planted
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"planted")
    state.settle()

    def kill(work: WorkFolder) -> None:
        raise Killed

    monkeypatch.setattr(WorkFolder, "remove", kill)
    with pytest.raises(Killed):
        state.start_sealing(b"envelope")

    assert document(paths)["pht_visit"]["phase"] == "sealing"
    assert list(state.results.path.iterdir()) == [state.results.backup]


@pytest.mark.parametrize("name", ["pht_results.pht", "pht_results.pht/sealed"])
def test_a_link_in_the_place_of_sealed_files_is_not_followed(
    name: str, paths: Paths, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = paths.opt / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)

    folder = VisitState(paths, KEY).results.batch()

    assert not folder.is_symlink()
    assert not (folder.parent).is_symlink()
    assert list(outside.iterdir()) == []


# --- a place without a train, or with somebody else in it ----------------------------------------


def test_a_place_without_a_train_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no train"), lock(Paths(tmp_path)):
        pass


@pytest.mark.parametrize("name", ["config", "train", "results"])
def test_a_link_in_the_place_of_a_part_of_the_train_is_refused(
    name: str, paths: Paths, tmp_path: Path
) -> None:
    path: Path = getattr(paths, name)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError) as refused:
        restart(paths)
    assert refused.value.code == "link-in-place"


def test_only_one_process_at_a_time_visits_a_train(paths: Paths) -> None:
    other = (
        "import sys; from pathlib import Path; from entrypoint.model import Paths;"
        "from entrypoint.recovery.state import lock\n"
        "with lock(Paths(Path(sys.argv[1]))): print('aboard', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", other, paths.root], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"aboard\n"
        with pytest.raises(SystemFailure) as refused, lock(paths):
            pass
        process.communicate(b"")
    assert refused.value.code == "visit-in-progress"
    with lock(paths):
        pass

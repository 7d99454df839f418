"""The state of a visit on disk, one phase at a time; kills and errors are tried in tests/faults."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.errors import IntegrityError, MalformedTrain, MissingInput, SystemFailure
from entrypoint.limits import CONFIG_BYTES
from entrypoint.model import Paths
from entrypoint.recovery.journal import Journal, Phase
from entrypoint.recovery.state import VisitState, lock
from tests.station import snapshot
from tests.unfinished import (
    BEFORE_SEALING,
    FOUR_NAMES,
    JOURNAL,
    KEY,
    NEW_CONFIG,
    OLD_CONFIG,
    begin,
    document,
    restart,
)


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


# Files that others have planted


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
@pytest.mark.parametrize(
    "name",
    [
        "pht_results.pht",
        "pht_results.tmp",
        "pht_train.pht",
        "train_config.json.pht",
        "user_sym_key.key.pht",
    ],
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
    VisitState(paths, KEY).remove_leftovers()
    assert snapshot(paths.opt) == before
    assert (outside / "file").read_bytes() == b"of somebody else"


def give_up(state: VisitState) -> None:
    state.results.backup.unlink()
    assert not state.go_back()


@pytest.mark.parametrize(
    "end", [VisitState.flush_results, VisitState.go_back, give_up], ids=["flushed", "back", "spent"]
)
def test_temporary_files_of_the_train_are_removed_after_it(
    end: Callable[[VisitState], object], paths: Paths
) -> None:
    state = begin(paths)
    (paths.scratch / "tmp").mkdir(parents=True)
    (paths.scratch / "tmp" / "file").write_bytes(b"plain")
    end(state)
    assert not paths.scratch.exists()


@pytest.mark.parametrize("planted", ["sealed/0.pack", "sealed/folder/file", "other"])
def test_what_the_train_has_planted_is_gone_before_sealing_begins(
    planted: str, paths: Paths
) -> None:
    state = begin(paths)
    path = state.results.path / planted
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"planted")

    state.flush_results()

    assert {*state.results.path.iterdir()} == {state.results.backup, state.results.linked}


def test_a_start_that_goes_on_sealing_frees_the_space_of_the_old_state(paths: Paths) -> None:
    state = begin(paths)
    state.flush_results()
    state.start_sealing(b"envelope")
    (state.results.batch() / "0.pack").touch()
    (state.results.linked / "0").touch()
    assert state.results.backup.exists()

    state.load()
    state.remove_backups()

    assert [*state.results.path.iterdir()] == [state.results.batch()]
    assert (state.results.batch() / "0.pack").exists()


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


# A place without a train, or with another process in it


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

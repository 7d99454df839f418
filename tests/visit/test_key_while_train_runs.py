"""Opener and closer load the station's key; nothing refers to it while the train runs."""

import gc
from pathlib import Path
from typing import Any

import pytest

from entrypoint.cli import main
from entrypoint.errors import SystemFailure
from entrypoint.protocol.stages import VerifiedTrain
from entrypoint.recovery.state import VisitState
from entrypoint.settings.private_key import load_station_key
from entrypoint.visit.station_key import StationKey
from tests.station import (
    RUNS_TRAIN,
    Done,
    assert_explained,
    new_train,
    pht,
    settle,
    snapshot,
)

HOLDERS = (StationKey, VisitState, VerifiedTrain)
"""The classes whose objects refer to a key."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A train before its first stop."""
    new_train(tmp_path, "")
    settle(tmp_path, "station_1")
    return tmp_path


def visit_in_this_process(root: Path, capfd: pytest.CaptureFixture[str]) -> Done:
    """Make a visit in this process, where the train's command is replaced."""
    status = main.main(["run", "--root", str(root), "--", *RUNS_TRAIN])
    said = capfd.readouterr()
    return Done(status, said.out.encode(), said.err)


def holders() -> set[str]:
    """Return the names of the classes whose objects, now in memory, refer to a key."""
    return {type(thing).__name__ for thing in gc.get_objects() if type(thing) in HOLDERS}


def test_nothing_refers_to_a_key_while_the_train_runs(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    found: dict[str, set[str]] = {}
    monkeypatch.setattr(
        "entrypoint.visit.story.check_data", lambda *_: found.update(before=holders())
    )
    monkeypatch.setattr(
        "entrypoint.visit.story.run_train", lambda *_: found.update(during=holders())
    )
    assert visit_in_this_process(root, capfd).facts["result"] == "visited"
    assert found == {"before": {kind.__name__ for kind in HOLDERS}, "during": set()}


def test_the_key_is_validated_when_it_is_first_loaded(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    loaded = []

    def load(*settings: Any, already_validated: bool) -> object:
        loaded.append(already_validated)
        return load_station_key(*settings, already_validated=already_validated)

    monkeypatch.setattr("entrypoint.visit.station_key.load_station_key", load)
    monkeypatch.setattr("entrypoint.visit.story.run_train", lambda *_: None)
    assert visit_in_this_process(root, capfd).status == 0
    assert loaded == [False, True]


def test_a_key_that_is_gone_after_the_train_leaves_the_visit_to_the_next_start(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(root)
    key = root / "run" / "pht" / "private_key.pem"
    monkeypatch.setattr("entrypoint.visit.story.run_train", lambda *_: key.unlink())

    done = visit_in_this_process(root, capfd)

    assert_explained(done, 78, "private-key-missing")
    assert done.facts["state"] == "unfinished"
    settle(root, "station_1")
    assert pht("undo", root=root).facts["state"] == "unchanged"
    assert snapshot(root) == before


def test_a_train_that_could_not_be_started_is_reported_before_the_old_state_is_restored(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(root)

    def fail(*_: object) -> None:
        raise SystemFailure("no-process", "no process can be made", hint="free some")

    monkeypatch.setattr("entrypoint.visit.story.run_train", fail)
    done = visit_in_this_process(root, capfd)

    assert_explained(done, 71, "no-process")
    assert done.facts["state"] == "unchanged"
    assert snapshot(root) == before

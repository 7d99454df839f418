"""The station's key is loaded once, for opener and closer; the train's part does not get it."""

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.cli import main
from entrypoint.errors import SystemFailure
from entrypoint.protocol.stages import VerifiedTrain
from entrypoint.recovery.state import VisitState
from entrypoint.visit.station_key import StationKey
from tests import reference
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
"""The classes whose objects refer to a private or symmetric key."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A train before its first stop."""
    new_train(tmp_path, "")
    settle(tmp_path, "station_1")
    return tmp_path


def visit_in_this_process(root: Path, capfd: pytest.CaptureFixture[str]) -> Done:
    """Make a visit in this process, where the train's command is replaced."""
    environment = {"PATH": os.environ["PATH"]}
    status = main.main(["run", "--root", str(root), "--", *RUNS_TRAIN], environment)
    said = capfd.readouterr()
    return Done(status, said.out.encode(), said.err)


def holders() -> set[str]:
    """Return the names of the classes whose objects, now in memory, refer to a key."""
    return {type(thing).__name__ for thing in gc.get_objects() if type(thing) in HOLDERS}


def test_one_object_refers_to_a_key_while_the_train_runs(
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
    assert found == {"before": {kind.__name__ for kind in HOLDERS}, "during": {"StationKey"}}


CHANGES: dict[str, Callable[[Path], object]] = {
    "gone": lambda key: key.unlink(),
    "another": lambda key: key.write_bytes(reference.vector_key("station_2", private=True)),
    "of another form": lambda key: key.write_bytes(b"no key"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_key_that_changes_while_the_train_runs_seals_what_it_has_opened(
    change: str, root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    key = root / "run" / "pht" / "private_key.pem"
    monkeypatch.setattr("entrypoint.visit.story.run_train", lambda *_: CHANGES[change](key))

    assert visit_in_this_process(root, capfd).facts["result"] == "visited"

    settle(root, "station_1")
    assert pht("check", root=root).facts["code"] == "already-visited"


@pytest.mark.parametrize("change", CHANGES)
def test_a_key_that_changes_while_the_train_fails_restores_what_it_has_opened(
    change: str, root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(root)
    key = root / "run" / "pht" / "private_key.pem"

    def fail(*_: object) -> None:
        CHANGES[change](key)
        raise SystemFailure("no-process", "no process can be made", hint="free some")

    monkeypatch.setattr("entrypoint.visit.story.run_train", fail)

    assert_explained(visit_in_this_process(root, capfd), 71, "no-process")

    settle(root, "station_1")
    assert snapshot(root) == before


def test_a_key_that_can_be_read_only_once(root: Path) -> None:
    key = root / "run" / "pht" / "private_key.pem"
    pem = key.read_bytes()
    key.unlink()
    done = pht(
        "run",
        "--",
        *RUNS_TRAIN,
        root=root,
        env={"RSA_STATION_PRIVATE_KEY_FILE": "/dev/stdin"},
        stdin=pem,
    )
    assert done.facts["result"] == "visited"


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

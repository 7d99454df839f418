"""Visits are refused where the train could reach the key, unless the station allows it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from entrypoint.errors import SettingsError
from entrypoint.linux.secret_memory import store
from entrypoint.process import landlock
from entrypoint.process.credentials import Credentials
from entrypoint.report import Report
from entrypoint.settings.held_key import HeldValue
from entrypoint.settings.load import load
from entrypoint.visit import key_reach
from entrypoint.visit.key_reach import check_key_reach, check_read_twice
from entrypoint.visit.session import Session
from tests.other_user import needs_root

OWN = Credentials(uid=os.getuid(), gid=os.getgid(), groups=())
TRAIN = Credentials(uid=10001, gid=10001, groups=())


@pytest.fixture
def root() -> Iterator[Path]:
    """A station with a key and its password, in a folder that every user may enter."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    folder = root / "run" / "pht"
    folder.mkdir(parents=True)
    for name in ("private_key.pem", "private_key.password"):
        (folder / name).write_bytes(b"secret")
        (folder / name).chmod(0o600)
    yield root
    shutil.rmtree(root)


@pytest.fixture
def _without_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)


def session(root: Path, *, in_container: bool = False, **variables: str) -> Session:
    settings = replace(load(root, variables), in_container=in_container)
    return Session(settings, Report())


def reachable(session: Session, credentials: Credentials = TRAIN) -> str:
    """Check that a visit is refused, and return the message."""
    with pytest.raises(SettingsError) as raised:
        check_key_reach(session, credentials)
    assert raised.value.code == "key-reachable"
    return raised.value.message


def test_landlock_hides_the_key_even_from_its_owner(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 4)
    assert check_key_reach(session(root), OWN)


@needs_root
@pytest.mark.usefixtures("_without_landlock")
def test_without_landlock_another_user_keeps_the_train_from_the_key(root: Path) -> None:
    assert check_key_reach(session(root), TRAIN)


@needs_root
@pytest.mark.usefixtures("_without_landlock")
@pytest.mark.parametrize("name", ["private_key.pem", "private_key.password"])
@pytest.mark.parametrize("way", ["mode", "owner"])
def test_without_landlock_the_trains_user_must_not_open_the_key(
    way: str, name: str, root: Path
) -> None:
    path = root / "run" / "pht" / name
    if way == "mode":
        path.chmod(0o644)
    else:
        path.chmod(0)
        os.chown(path, TRAIN.uid, TRAIN.gid)
    assert f"the train could read {path} as uid 10001" in reachable(session(root))


@pytest.mark.usefixtures("_without_landlock")
def test_without_landlock_the_runners_own_user_reaches_the_key(root: Path) -> None:
    assert f"as uid {OWN.uid}" in reachable(session(root), OWN)


@pytest.mark.parametrize("shown", ["private_key.pem", "pht"], ids=["the key", "its folder"])
def test_a_file_that_another_mount_shows(
    shown: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown_elsewhere(path: Path) -> Path | None:
        return Path("/data") if path.name == shown else None

    monkeypatch.setattr(key_reach, "shown_elsewhere", shown_elsewhere)
    shown_path = next(root.glob(f"run/**/{shown}"))
    assert f"{shown_path} below /data" in reachable(session(root))


def test_a_key_in_the_environment_of_a_process_above(root: Path) -> None:
    with (
        patch.object(key_reach, "ancestors", lambda: [1, 7]),
        patch.object(key_reach, "erase_variables", lambda pid, _: pid != 7),
    ):
        assert "process 7" in reachable(session(root, in_container=True))
        assert key_reach._in_environment(session(root).settings) is None


def test_every_process_above_loses_the_key_before_the_visit_is_refused(root: Path) -> None:
    asked: list[int] = []
    with (
        patch.object(key_reach, "ancestors", lambda: [1, 7]),
        patch.object(key_reach, "erase_variables", lambda pid, _: asked.append(pid)),
    ):
        reachable(session(root, in_container=True))
    assert asked == [1, 7]


# --- a key in a variable, which waits in memory ---------------------------------------------------


@pytest.fixture
def held(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """The session of a station whose key waits in a sealed memfd."""
    shutil.rmtree(root / "run")
    monkeypatch.setattr("entrypoint.linux.secret_memory._store_hidden", lambda _: None)
    descriptor = store(b"2d2d")
    yield session(root, RSA_STATION_PRIVATE_KEY=HeldValue(descriptor))
    os.close(descriptor)


@pytest.fixture
def _with_the_rights_of_the_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the train open what the runner has open, as in gVisor: here it may debug the runner."""
    monkeypatch.setattr(Credentials, "become", lambda _: None)


@pytest.mark.usefixtures("_without_landlock", "_with_the_rights_of_the_runner")
def test_memory_that_the_train_may_open(held: Session) -> None:
    assert f"the memory of the runner as uid {OWN.uid}" in reachable(held, OWN)


@pytest.mark.usefixtures("_with_the_rights_of_the_runner")
def test_landlock_hides_memory_that_the_train_may_open(
    held: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 4)
    assert check_key_reach(held, OWN)


@needs_root
@pytest.mark.usefixtures("_without_landlock")
def test_memory_is_closed_to_another_user(held: Session) -> None:
    assert check_key_reach(held, TRAIN)


@pytest.mark.usefixtures("_without_landlock")
def test_a_value_that_could_not_be_held_is_left_to_the_loading_of_the_key(root: Path) -> None:
    shutil.rmtree(root / "run")
    assert check_key_reach(session(root, RSA_STATION_PRIVATE_KEY=HeldValue(None)), OWN)


# --- exceptions -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("_without_landlock")
def test_a_station_may_allow_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not check_key_reach(session(root, PHT_ALLOW_UNPROTECTED_KEY="1"), OWN)
    said = capsys.readouterr().err
    assert said.startswith("pht: warning: PHT_ALLOW_UNPROTECTED_KEY=1: the train could read")


@pytest.mark.usefixtures("_without_landlock")
def test_a_value_in_the_place_of_a_path_is_left_to_the_loading_of_the_key(tmp_path: Path) -> None:
    made = session(tmp_path, PRIVATE_KEY_PATH="2d" * 4000)
    assert check_key_reach(made, OWN)
    check_read_twice(made.settings)


# --- reading it twice ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["private_key.pem", "private_key.password"])
@pytest.mark.parametrize("kind", ["a FIFO", "a device"])
def test_a_key_that_can_be_read_only_once_is_refused(kind: str, name: str, root: Path) -> None:
    path = root / "run" / "pht" / name
    path.unlink()
    if kind == "a FIFO":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(SettingsError) as raised:
        check_read_twice(load(root, {}))
    assert raised.value.code == "private-key-unusable"
    assert f"{path} cannot be read a second time" in raised.value.message


def test_files_and_no_password_at_all_can_be_read_twice(root: Path) -> None:
    check_read_twice(load(root, {"PRIVATE_KEY_PASSWORD_FILE": "/dev/null"}))

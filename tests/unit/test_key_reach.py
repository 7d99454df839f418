"""Visits are refused where the train could reach the key, unless the station allows it."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from entrypoint.errors import SettingsError
from entrypoint.report import Report
from entrypoint.settings.load import load
from entrypoint.settings.settings import Settings
from entrypoint.visit import key_reach
from entrypoint.visit.key_reach import check_key_reach, check_read_twice


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A station with a key and its password."""
    folder = tmp_path / "run" / "pht"
    folder.mkdir(parents=True)
    (folder / "private_key.pem").write_bytes(b"key")
    (folder / "private_key.password").write_bytes(b"password")
    return tmp_path


def in_container(root: Path) -> Settings:
    """Return settings like those in a container, with the station folder elsewhere."""
    return replace(load(root, {}), in_container=True)


def reachable(settings: Settings, may_read: Callable[[Path], bool] | None = None) -> str:
    """Check that a visit is refused, and return the message."""
    with pytest.raises(SettingsError) as raised:
        check_key_reach(settings, Report(), may_read=may_read)
    assert raised.value.code == "key-reachable"
    return raised.value.message


def test_a_key_that_nothing_shows(root: Path) -> None:
    assert check_key_reach(load(root, {}), Report(), may_read=None)
    assert check_key_reach(load(root, {}), Report(), may_read=lambda _: False)


@pytest.mark.parametrize("name", ["private_key.pem", "private_key.password"])
def test_a_file_that_the_trains_user_may_read(name: str, root: Path) -> None:
    message = reachable(load(root, {}), lambda path: path.name == name)
    assert f"{root}/run/pht/{name}" in message


def test_a_file_that_another_mount_shows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_reach, "shown_elsewhere", lambda _: Path("/data"))
    assert f"{root}/run/pht/private_key.pem below /data" in reachable(load(root, {}))


def test_a_key_in_the_environment_of_a_process_above(root: Path) -> None:
    with (
        patch.object(key_reach, "ancestors", lambda: [1, 7]),
        patch.object(key_reach, "erase_variables", lambda pid, _: pid != 7),
    ):
        assert "process 7" in reachable(in_container(root))
        assert check_key_reach(load(root, {}), Report(), may_read=None)


def test_every_process_above_loses_the_key_before_the_visit_is_refused(root: Path) -> None:
    asked: list[int] = []
    with (
        patch.object(key_reach, "ancestors", lambda: [1, 7]),
        patch.object(key_reach, "erase_variables", lambda pid, _: asked.append(pid)),
    ):
        reachable(in_container(root))
    assert asked == [1, 7]


def test_a_station_may_allow_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load(root, {"PHT_ALLOW_UNPROTECTED_KEY": "1"})
    assert not check_key_reach(settings, Report(), may_read=lambda _: True)
    said = capsys.readouterr().err
    assert said.startswith("pht: warning: PHT_ALLOW_UNPROTECTED_KEY=1: the train's user could read")


def test_a_value_in_the_place_of_a_path_is_left_to_the_loading_of_the_key(tmp_path: Path) -> None:
    settings = load(tmp_path, {"PRIVATE_KEY_PATH": "2d" * 4000})
    assert check_key_reach(settings, Report(), may_read=lambda _: True)
    check_read_twice(settings)


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

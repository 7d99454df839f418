"""Which credentials a train gets from runners with different rights."""

import io
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from entrypoint.linux import user
from entrypoint.linux.capabilities import Capability
from entrypoint.process.credentials import Credentials
from entrypoint.report import Report
from entrypoint.settings.load import load
from entrypoint.settings.settings import Settings
from entrypoint.visit import train_user
from entrypoint.visit.train_user import host_driven_credentials, train_credentials
from tests.ledger import give_ledger
from tests.unit.settings_errors import settings_error

FOR_FILES = frozenset({Capability.CHOWN, Capability.DAC_OVERRIDE, Capability.FOWNER})
NEEDED = FOR_FILES | {Capability.KILL, Capability.SETGID, Capability.SETUID}


class Runner:
    """What the kernel says about this process, for the time of a test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._patch = monkeypatch
        self._folder = folder
        self.is_user(0, 0)
        self.has(Capability)
        self.may_give_files(True)
        self.has_groups()
        self.maps("0 0 4294967295")
        self.lists("root:x:0:")

    def is_user(self, uid: int, gid: int) -> None:
        self._patch.setattr(os, "getuid", lambda: uid)
        self._patch.setattr(os, "getgid", lambda: gid)

    def has(self, capabilities: Iterable[Capability]) -> None:
        held = frozenset(capabilities)
        self._patch.setattr(train_user, "held", lambda: held)

    def may_give_files(self, answer: bool) -> None:
        self._patch.setattr(train_user, "may_give_files", lambda uid, gid: answer)

    def has_groups(self, *groups: int) -> None:
        self._patch.setattr(os, "getgroups", lambda: list(groups))

    def maps(self, uids: str, gids: str | None = None, setgroups: str = "allow") -> None:
        self._holds("_UID_MAP", uids)
        self._holds("_GID_MAP", gids or uids)
        self._holds("_SETGROUPS", setgroups)

    def lists(self, *lines: str) -> None:
        """Make /etc/group have these lines."""
        self._holds("_GROUPS", "\n".join(lines))

    def _holds(self, name: str, text: str) -> None:
        file = self._folder / name
        file.write_text(text)
        self._patch.setattr(user, name, file)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runner:
    """A runner that is root with all rights."""
    return Runner(monkeypatch, tmp_path)


def settings(root: Path, **variables: str) -> Settings:
    return load(root / "station", variables)


def credentials_of(found: Settings, told: io.StringIO | None = None) -> Credentials:
    return train_credentials(found, Report(stream=told or io.StringIO()))


def ids(credentials: Credentials) -> tuple[int, int]:
    assert credentials.keeps == frozenset()
    return credentials.uid, credentials.gid


# --- user ----------------------------------------------------------------------------------------


def test_root_runs_a_train_as_another_user(runner: Runner, tmp_path: Path) -> None:
    runner.has(NEEDED)
    told = io.StringIO()
    assert ids(credentials_of(settings(tmp_path), told)) == (10001, 10001)
    assert told.getvalue() == ""


@pytest.mark.parametrize("missing", sorted(NEEDED), ids=lambda capability: capability.name)
def test_without_one_of_the_rights_the_user_stays(
    missing: Capability, runner: Runner, tmp_path: Path
) -> None:
    runner.has(NEEDED - {missing})
    told = io.StringIO()
    assert ids(credentials_of(settings(tmp_path), told)) == (0, 0)
    reason = f"the train has no user of its own: the runner lacks {missing.name}"
    assert told.getvalue() == f"pht: {reason}\n"
    error = settings_error(
        "train-user-impossible",
        lambda: credentials_of(settings(tmp_path, PHT_TRAIN_USER="1000")),
    )
    assert missing.name in error.message


@pytest.mark.parametrize(
    ("uids", "gids", "setgroups"),
    [
        ("0 1000 1", None, "allow"),
        ("0 100000 10001", None, "allow"),
        ("0 0 65536", "0 0 1", "allow"),
        ("0 0 65536", None, "deny"),
    ],
)
def test_in_a_user_namespace_without_that_user_the_user_stays(
    uids: str, gids: str | None, setgroups: str, runner: Runner, tmp_path: Path
) -> None:
    runner.maps(uids, gids, setgroups)
    assert ids(credentials_of(settings(tmp_path))) == (0, 0)
    settings_error(
        "train-user-impossible",
        lambda: credentials_of(settings(tmp_path, PHT_TRAIN_USER="10001")),
    )


def test_where_seccomp_forbids_to_give_files_away_the_user_stays(
    runner: Runner, tmp_path: Path
) -> None:
    runner.may_give_files(False)
    assert ids(credentials_of(settings(tmp_path))) == (0, 0)
    error = settings_error(
        "train-user-impossible",
        lambda: credentials_of(settings(tmp_path, PHT_TRAIN_USER="1000")),
    )
    assert "seccomp" in error.message


def test_a_user_namespace_of_two_ranges_has_that_user(runner: Runner, tmp_path: Path) -> None:
    runner.maps("0 1000 1\n1 100000 65536")
    assert ids(credentials_of(settings(tmp_path))) == (10001, 10001)


def test_another_user_than_root_runs_a_train_as_itself(runner: Runner, tmp_path: Path) -> None:
    runner.is_user(1000, 100)
    runner.has(())
    assert ids(credentials_of(settings(tmp_path))) == (1000, 100)
    same = settings(tmp_path, PHT_TRAIN_USER="1000:100")
    assert ids(credentials_of(same)) == (1000, 100)
    error = settings_error(
        "train-user-impossible",
        lambda: credentials_of(settings(tmp_path, PHT_TRAIN_USER="10001")),
    )
    assert "not root" in error.message


@pytest.mark.parametrize(
    ("text", "user"), [("1000", (1000, 1000)), ("7:8", (7, 8)), ("0", (0, 0)), ("0:5", (0, 5))]
)
def test_the_station_chooses_the_user(
    text: str, user: tuple[int, int], runner: Runner, tmp_path: Path
) -> None:
    runner.has(NEEDED)
    assert ids(credentials_of(settings(tmp_path, PHT_TRAIN_USER=text))) == user


def test_a_host_driven_visit_keeps_the_user_and_its_rights_over_files(
    runner: Runner, tmp_path: Path
) -> None:
    runner.has_groups(0, 7)
    keeping = host_driven_credentials(settings(tmp_path))
    assert keeping == Credentials(uid=0, gid=0, groups=(0, 7), keeps=FOR_FILES)
    runner.has({Capability.CHOWN, Capability.KILL})
    assert host_driven_credentials(settings(tmp_path)).keeps == {Capability.CHOWN}
    other = settings(tmp_path, PHT_TRAIN_USER="1000")
    settings_error("train-user-impossible", lambda: host_driven_credentials(other))


# --- groups --------------------------------------------------------------------------------------


def test_groups_of_the_operator_stay_but_not_roots(runner: Runner, tmp_path: Path) -> None:
    runner.has_groups(0, 44, 2000)
    assert credentials_of(settings(tmp_path)).groups == (44, 2000)


def test_groups_that_the_image_gives_to_root_do_not_stay(runner: Runner, tmp_path: Path) -> None:
    runner.lists(
        "disk:x:6:root,adm",
        "wheel:x:10:root",
        "video:x:44:rooted",
        "",
        "a:b",
        "root:x:no:root",
        "ü:x:7:root",
    )
    runner.has_groups(6, 7, 10, 44)
    assert credentials_of(settings(tmp_path)).groups == (44,)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files to a group")
@pytest.mark.parametrize(
    "path", ["run/pht", "run/pht/private_key.pem", "run/pht/x", "keys", "keys/k"]
)
@pytest.mark.parametrize(("mode", "opens"), [(0o640, True), (0o644, False), (0o600, False)])
def test_a_group_that_opens_the_station_folder_does_not_stay(
    path: str, mode: int, opens: bool, runner: Runner, tmp_path: Path
) -> None:
    station = tmp_path / "station"
    for folder in ("run/pht", "keys"):
        (station / folder).mkdir(parents=True)
    for file in ("run/pht/private_key.pem", "run/pht/x", "keys/k"):
        (station / file).touch()
    os.chown(station / path, 0, 2000)
    (station / path).chmod(mode)
    runner.has_groups(44, 2000)

    key = str(station / "keys" / "k")
    found = credentials_of(settings(tmp_path, RSA_STATION_PRIVATE_KEY_FILE=key))

    assert found.groups == ((44,) if opens else (44, 2000))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files to a group")
@pytest.mark.parametrize(("mode", "opens"), [(0o770, True), (0o700, False)])
def test_a_group_that_opens_the_ledger_does_not_stay(
    mode: int, opens: bool, runner: Runner, tmp_path: Path
) -> None:
    ledger = give_ledger(tmp_path / "station")
    os.chown(ledger, 0, 2000)
    ledger.chmod(mode)
    runner.has_groups(44, 2000)
    assert credentials_of(settings(tmp_path)).groups == ((44,) if opens else (44, 2000))


def test_groups_stay_where_they_cannot_be_changed(runner: Runner, tmp_path: Path) -> None:
    runner.has_groups(0, 2000)
    runner.has(NEEDED - {Capability.SETGID})
    assert credentials_of(settings(tmp_path)).groups == (0, 2000)
    runner.has(NEEDED)
    runner.maps("0 0 65536", setgroups="deny")
    assert credentials_of(settings(tmp_path)).groups == (0, 2000)


def test_a_group_that_the_user_namespace_does_not_map_is_not_set_again(
    runner: Runner, tmp_path: Path
) -> None:
    runner.maps("0 100000 65534")
    runner.has_groups(65534)
    assert credentials_of(settings(tmp_path)).groups == (65534,)
    runner.has_groups(0, 44, 65534)
    assert credentials_of(settings(tmp_path)).groups == (44,)

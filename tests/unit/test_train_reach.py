"""Data and files that the train's user can read, or only with DAC_OVERRIDE, or not at all."""

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from entrypoint.errors import MissingInput, SystemFailure
from entrypoint.linux import capabilities
from entrypoint.linux.capabilities import Capability, held
from entrypoint.model import Paths
from entrypoint.process.credentials import Credentials
from entrypoint.report import Report
from entrypoint.settings.load import load
from entrypoint.visit import train_reach
from entrypoint.visit.data import check_data
from entrypoint.visit.session import Session
from entrypoint.visit.train_reach import (
    ask_as,
    needs_dac_override,
    usable_credentials,
    with_dac_override,
)
from tests.other_user import needs_root

pytestmark = needs_root

TRAIN = Credentials(uid=10001, gid=10001, groups=())


@pytest.fixture
def paths() -> Iterator[Paths]:
    """An opened train with data, in a folder that every user may enter."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    found = Paths(root)
    for folder in (found.train, found.results, root / "data" / "ward"):
        folder.mkdir(parents=True)
    (found.train / "train.py").touch()
    (found.results / "rows.csv").touch()
    for path in (found.results, found.results / "rows.csv"):
        os.chown(path, TRAIN.uid, TRAIN.gid)
    (root / "data" / "ward" / "rows.csv").write_text("1")
    yield found
    shutil.rmtree(root)


def session(paths: Paths, told: io.StringIO | None = None, **variables: str) -> Session:
    values = {"PATH": os.environ["PATH"], "TRAIN_DATA_PATH": str(paths.root / "data"), **variables}
    return Session(load(paths.root, values), Report(stream=told or io.StringIO()))


def close(path: Path, mode: int = 0o600, uid: int = 0, gid: int = 0) -> Path:
    """Give a path to a user and a group, with this mode."""
    os.chown(path, uid, gid)
    path.chmod(mode)
    return path


# --- asking --------------------------------------------------------------------------------------


def test_a_question_is_answered_by_the_other_user(paths: Paths) -> None:
    stop = session(paths).stop
    assert ask_as(TRAIN, lambda: {"uid": os.getuid()}, stop) == {"uid": 10001}
    assert os.getuid() == 0


def test_a_process_that_cannot_become_the_user_is_an_error(paths: Paths) -> None:
    impossible = replace(TRAIN, uid=2**32 - 2, gid=2**32 - 1)
    with pytest.raises(SystemFailure) as raised:
        ask_as(impossible, lambda: {}, session(paths).stop)
    assert raised.value.code == "train-user-failed"


# --- data ----------------------------------------------------------------------------------------

CLOSED = [
    ("data", 0o700, 0, 0),
    ("data", 0o750, 0, 2000),
    ("data", 0o600, 1000, 1000),
    ("data/ward", 0o700, 0, 0),
    ("data/ward/rows.csv", 0o640, 0, 2000),
]


@pytest.mark.parametrize(("path", "mode", "uid", "gid"), CLOSED)
def test_data_of_another_user_needs_dac_override(
    path: str, mode: int, uid: int, gid: int, paths: Paths
) -> None:
    closed = close(paths.root / path, mode, uid, gid)
    told = io.StringIO()
    visit = session(paths, told)

    check_data(visit, TRAIN, may_override=True)

    assert told.getvalue() == ""
    assert needs_dac_override(visit, TRAIN, ["sh"]) == closed


@pytest.mark.parametrize(("path", "mode", "uid", "gid"), CLOSED)
def test_without_dac_override_closed_data_is_refused_or_warned_of(
    path: str, mode: int, uid: int, gid: int, paths: Paths
) -> None:
    closed = close(paths.root / path, mode, uid, gid)
    told = io.StringIO()
    visit = session(paths, told)
    said = "the train runs as uid 10001, gid 10001, and cannot read "
    if path != "data":
        check_data(visit, TRAIN, may_override=False)
        assert f"{said}{closed}: give it access" in told.getvalue()
        return

    with pytest.raises(MissingInput) as raised:
        check_data(visit, TRAIN, may_override=False)

    assert raised.value.code == "data-unreadable"
    assert raised.value.message == f"{said}TRAIN_DATA_PATH ({closed})"
    assert "setfacl -R -m u:10001:rX FOLDER" in raised.value.hint
    assert raised.value.hint.endswith(f"put PHT_TRAIN_USER={uid}, their owner, into station.env")


def test_a_group_of_the_train_opens_its_data(paths: Paths) -> None:
    close(paths.root / "data", 0o750, 0, 2000)
    visit = session(paths)
    member = replace(TRAIN, groups=(2000,))
    check_data(visit, member, may_override=False)
    assert needs_dac_override(visit, member, ["sh"]) is None


def test_the_folders_above_the_data_count(paths: Paths) -> None:
    close(paths.root, 0o700)
    with pytest.raises(MissingInput, match="cannot read TRAIN_DATA_PATH"):
        check_data(session(paths), TRAIN, may_override=False)
    check_data(session(paths), TRAIN, may_override=True)


def test_the_fixed_folder_of_data_counts_without_a_setting(paths: Paths) -> None:
    paths.data.mkdir()
    close(paths.data, 0o700)
    assert needs_dac_override(session(paths), TRAIN, ["sh"]) == paths.data


@pytest.mark.parametrize(
    ("point", "needs"),
    [
        ("/more data", True),
        ("/keys", False),
        ("/out", False),
        ("/run/secrets", False),
        ("/etc/hosts", False),
    ],
)
def test_in_a_container_other_mounts_than_the_runners_may_hold_data(
    point: str, needs: bool, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_reach, "mounts_below", lambda _: [Path(point)])
    monkeypatch.setattr(train_reach, "may_read", _only_overriding(Path(point)))
    outside = session(
        paths, RSA_STATION_PRIVATE_KEY_FILE="/keys/key.pem", PHT_EXPORT="/out/train.tar"
    )
    inside = Session(replace(outside.settings, in_container=True), outside.report)
    assert needs_dac_override(inside, TRAIN, ["sh"]) == (Path(point) if needs else None)
    assert needs_dac_override(outside, TRAIN, ["sh"]) is None


def _only_overriding(closed: Path) -> Callable[[Path], bool]:
    """Return a stand-in for `may_read` where one path takes DAC_OVERRIDE."""
    return lambda path: path != closed or Capability.DAC_OVERRIDE in held()


def test_an_empty_folder_that_only_root_may_read_is_warned_of(paths: Paths) -> None:
    empty = paths.root / "empty"
    empty.mkdir(mode=0o700)
    told = io.StringIO()
    visit = session(paths, told, TRAIN_DATA_PATH=str(empty))
    check_data(visit, TRAIN, may_override=True)
    assert f"TRAIN_DATA_PATH leads to an empty folder, {empty}" in told.getvalue()


@pytest.mark.parametrize("may_override", [True, False])
def test_data_that_is_not_there_is_missing_and_not_closed(may_override: bool, paths: Paths) -> None:
    close(paths.root, 0o700)
    visit = session(paths, TRAIN_DATA_PATH=str(paths.root / "absent"))
    with pytest.raises(MissingInput) as raised:
        check_data(visit, TRAIN, may_override=may_override)
    assert raised.value.code == "data-missing"


def test_without_an_ambient_set_there_is_no_dac_override(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert with_dac_override(TRAIN) == replace(TRAIN, keeps=frozenset({Capability.DAC_OVERRIDE}))
    monkeypatch.setattr(capabilities, "PR_CAP_AMBIENT", 9999)  # gVisor knows no such option
    close(paths.root / "data", 0o700)
    assert needs_dac_override(session(paths), TRAIN, ["sh"]) is None


def test_where_dac_override_does_not_help_it_is_not_kept(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network file system whose server trusts no root; a stand-in, since none is here."""
    monkeypatch.setattr(train_reach, "may_read", lambda path: "data" not in path.parts)
    assert needs_dac_override(session(paths), TRAIN, ["sh"]) is None


# --- the train's own files -----------------------------------------------------------------------


def test_an_ordinary_train_needs_no_capability(paths: Paths) -> None:
    assert needs_dac_override(session(paths), TRAIN, ["sh"]) is None


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("opt/pht_train", 0o700),
        ("opt/pht_train/train.py", 0o600),
        ("opt/pht_results", 0o755),
        ("opt/pht_results/rows.csv", 0o644),
        ("opt", 0o700),
    ],
)
def test_files_of_the_train_that_it_cannot_use_need_dac_override(
    path: str, mode: int, paths: Paths
) -> None:
    closed = close(paths.root / path, mode)
    found = needs_dac_override(session(paths), TRAIN, ["sh"])
    assert found is not None
    assert found == closed or closed in found.parents


def test_without_dac_override_root_runs_a_train_in_a_closed_folder(paths: Paths) -> None:
    visit = session(paths)
    close(paths.train, 0o700)  # made readable when the train is opened
    assert usable_credentials(visit, TRAIN, may_override=False) == TRAIN
    close(paths.root, 0o700)
    own = replace(TRAIN, uid=0, gid=0)
    assert usable_credentials(visit, TRAIN, may_override=False) == own
    assert usable_credentials(visit, TRAIN, may_override=True) == TRAIN


def test_a_user_who_would_not_help_is_not_taken(paths: Paths) -> None:
    close(paths.root, 0o700, 1000, 1000)  # root may not enter it either, without capabilities
    assert usable_credentials(session(paths), TRAIN, may_override=False) == TRAIN


def test_the_users_choice_of_the_station_stays(paths: Paths) -> None:
    close(paths.root, 0o700)
    visit = session(paths, PHT_TRAIN_USER="10001")
    assert usable_credentials(visit, TRAIN, may_override=False) == TRAIN


def test_an_interpreter_that_it_cannot_execute_needs_dac_override(paths: Paths) -> None:
    program = paths.root / "python"
    program.touch()
    close(program, 0o700)
    visit = session(paths, PATH=str(paths.root))
    assert needs_dac_override(visit, TRAIN, ["python", "train.py"]) == program
    assert needs_dac_override(visit, TRAIN, ["absent"]) is None


def test_a_train_of_the_runners_own_user_gets_no_capability(paths: Paths) -> None:
    assert with_dac_override(replace(TRAIN, uid=0)) is None
    close(paths.root / "data", 0o700, 1000, 1000)
    root = replace(TRAIN, uid=0, gid=0)
    assert needs_dac_override(session(paths), root, ["sh"]) is None
    with pytest.raises(MissingInput) as raised:
        check_data(session(paths), root, may_override=True)
    assert "give uid 0 access" in raised.value.hint
    assert "PHT_TRAIN_USER" not in raised.value.hint

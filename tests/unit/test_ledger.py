"""The ledger: what it records, what it refuses, and what its folder may be."""

import fcntl
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import pytest

from entrypoint.errors import RouteError, StorageError
from entrypoint.model import Paths
from entrypoint.settings.ledger_folder import find_ledger
from entrypoint.train_config import TrainConfig, read
from entrypoint.trust.ledger import Entry, Ledger
from tests import reference
from tests.ledger import (
    FIRST,
    REPLAYS,
    SECOND,
    SESSION,
    WIRES,
    add_stop,
    entries,
    give_ledger,
    lay_out_at,
)
from tests.other_user import unprivileged
from tests.station import edit, pht, snapshot
from tests.unit.settings_errors import settings_error

each_wire = pytest.mark.parametrize("wire", WIRES.values(), ids=[*WIRES])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return give_ledger(tmp_path)


@pytest.fixture
def ledger(folder: Path) -> Ledger:
    return Ledger(folder)


def config_of(opt: Path) -> TrainConfig:
    return read((opt / "train_config.json").read_bytes())


def record(ledger: Ledger, opt: Path) -> TrainConfig:
    """Let the train below `opt` board."""
    config = config_of(opt)
    with ledger.locked():
        assert ledger.replay(config) is None
        ledger.record(config)
    return config


# --- trains --------------------------------------------------------------------------------------


@each_wire
def test_what_is_recorded(wire: ModuleType, ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    config = record(ledger, lay_out_at(tmp_path, wire, FIRST))
    [path] = ledger.files()
    assert path.stat().st_mode & 0o777 == 0o600
    assert SESSION not in path.name
    [entry] = entries(folder)
    assert entry.pop("version") == 1
    assert Entry(**entry) == ledger.read(path)
    assert (entry["session"], entry["stops"]) == (SESSION, 1)
    assert entry["definition"] == config.definition_hash.hex()
    assert ledger.has(config)


@each_wire
def test_the_same_state_and_newer_ones_board(
    wire: ModuleType, ledger: Ledger, folder: Path, tmp_path: Path
) -> None:
    empty = lay_out_at(tmp_path, wire)
    record(ledger, empty)
    record(ledger, empty)
    for number, stop in enumerate((FIRST, SECOND), start=1):
        add_stop(empty, wire, stop)
        record(ledger, empty)
        [entry] = entries(folder)
        assert entry["stops"] == number


@each_wire
def test_an_older_state_is_refused(wire: ModuleType, ledger: Ledger, tmp_path: Path) -> None:
    record(ledger, lay_out_at(tmp_path, wire, FIRST, SECOND))
    for stops in ((), (FIRST,)):
        config = config_of(lay_out_at(tmp_path, wire, *stops))
        error = ledger.replay(config)
        assert isinstance(error, RouteError)
        assert error.code == "older-state"
        assert f"has made is {len(stops)}, but was 2" in error.message
        assert not ledger.has(config)


@each_wire
@pytest.mark.parametrize("name", REPLAYS)
def test_a_train_that_contradicts_its_entry_is_refused(
    name: str, wire: ModuleType, ledger: Ledger, folder: Path, tmp_path: Path
) -> None:
    record(ledger, lay_out_at(tmp_path, wire, FIRST))
    before = snapshot(folder)
    code, offer = REPLAYS[name]
    config = config_of(offer(tmp_path, wire))
    error = ledger.replay(config)
    assert isinstance(error, RouteError)
    assert error.code == code
    assert SESSION[:16] in error.hint
    assert not ledger.has(config)
    assert snapshot(folder) == before


@each_wire
def test_more_stops_on_another_signature_are_a_fork(
    wire: ModuleType, ledger: Ledger, tmp_path: Path
) -> None:
    record(ledger, lay_out_at(tmp_path, wire, FIRST))
    error = ledger.replay(config_of(lay_out_at(tmp_path, wire, FIRST, SECOND)))
    assert isinstance(error, RouteError)
    assert error.code == "forked-state"


def test_forks_of_a_flat_train_share_the_newest_digest(tmp_path: Path) -> None:
    """That is why the digest alone is not recorded."""
    forks = [lay_out_at(tmp_path / name, reference, FIRST, result=name.encode()) for name in "ab"]
    [one], [other] = (config_of(opt).visits for opt in forks)
    assert one.digest == other.digest


def test_an_id_of_any_length_is_cut(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    opt = lay_out_at(tmp_path, reference)
    edit(opt, lambda config: config.update(train_id="\U0001f642" * 100_000))
    record(ledger, opt)
    record(ledger, opt)
    [entry] = entries(folder)
    assert entry["train"] == "\U0001f642" * 200
    assert ledger.files()[0].stat().st_size < 4096  # as docs/station.md says


# --- the folder ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch], ids=["folder", "file"])
def test_what_an_image_has_in_that_place_is_no_ledger(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = tmp_path / "pht"
    assert find_ledger(folder, in_container=True) is None
    make(folder)
    assert find_ledger(folder, in_container=True) is None


def test_without_a_container_a_folder_is_one(folder: Path, tmp_path: Path) -> None:
    assert find_ledger(folder, in_container=False) == folder
    assert find_ledger(tmp_path / "other", in_container=False) is None


def test_a_file_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "pht").touch()
    error = settings_error(
        "ledger-unusable", lambda: find_ledger(tmp_path / "pht", in_container=False)
    )
    assert "is not a folder" in error.message


@pytest.mark.parametrize("mode", [0o701, 0o702, 0o704, 0o755, 0o1777])
def test_a_folder_that_is_open_to_others_is_refused(mode: int, folder: Path) -> None:
    folder.chmod(mode)
    error = settings_error("ledger-unusable", lambda: find_ledger(folder, in_container=False))
    assert "chmod o-rwx" in error.hint


# --- damage --------------------------------------------------------------------------------------


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut off": lambda data: data[:-10],
    "no object": lambda _: b"[]",
    "nested deep": lambda _: b"[" * 16_000,
    "another version": lambda data: data.replace(b'"version": 1', b'"version": 2'),
    "a field missing": lambda data: data.replace(b'"stops"', b'"stop"'),
    "a field of another type": lambda data: data.replace(b'"stops": 1', b'"stops": "1"'),
    "of another session": lambda data: data.replace(b"5e5e", b"5e5f", 1),
    "of no session": lambda data: data.replace(b"5e5e", b"5e5x", 1),
    "too large": lambda data: data + b" " * 20_000,
    "not UTF-8": lambda data: data.replace(b"train-1", b"\xff"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_entry_is_never_passed_over(name: str, ledger: Ledger, tmp_path: Path) -> None:
    config = record(ledger, lay_out_at(tmp_path, reference, FIRST))
    [path] = ledger.files()
    path.write_bytes(DAMAGES[name](path.read_bytes()))
    asks: list[Callable[[TrainConfig], object]] = [ledger.replay, ledger.has]
    for ask in asks:
        error = settings_error("ledger-damaged", partial(ask, config))
        assert str(path) in error.message
        assert f"--forget {path.stem[:16]}" in error.hint
    ledger.forget(path)
    assert ledger.replay(config) is None


def test_an_entry_of_another_user_is_not_taken_for_damage(tmp_path: Path) -> None:
    """Forgetting it, the advice for a damaged one, would let any state board."""
    with TemporaryDirectory() as place:  # where another user may go too
        ledger = Ledger(give_ledger(Path(place)))
        config = record(ledger, lay_out_at(tmp_path, reference, FIRST))
        ledger.files()[0].chmod(0)
        with unprivileged(Path(place)):
            error = settings_error("ledger-unusable", lambda: ledger.replay(config))
    assert "forget" not in error.hint


def test_a_folder_in_the_place_of_an_entry_is_damage(ledger: Ledger, tmp_path: Path) -> None:
    config = record(ledger, lay_out_at(tmp_path, reference, FIRST))
    [path] = ledger.files()
    path.unlink()
    path.mkdir()
    error = settings_error("ledger-damaged", lambda: ledger.replay(config))
    assert path.name in error.message


def test_a_link_in_the_place_of_the_lock_is_not_followed(ledger: Ledger, folder: Path) -> None:
    (folder / "lock").symlink_to("elsewhere")
    with pytest.raises(StorageError) as raised, ledger.locked():
        pass
    assert raised.value.code == "ledger-not-written"
    assert not (folder / "elsewhere").exists()


def test_the_lock_keeps_all_others_out(ledger: Ledger, folder: Path) -> None:
    with ledger.locked(), pytest.raises(BlockingIOError):
        lock_by_another(folder)
    lock_by_another(folder)


def lock_by_another(folder: Path) -> None:
    with (folder / "lock").open("r+b") as file:  # locks of two open files exclude each other
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def two(ledger: Ledger, tmp_path: Path) -> list[str]:
    """The session ids of two trains that have boarded."""
    ids = ["a" * 20 + "0" * 108, "a" * 20 + "1" * 108]
    for number, session in enumerate(ids):
        stops = [FIRST] * number
        record(ledger, lay_out_at(tmp_path / "train", reference, *stops, session=session))
    return ids


def test_the_list_of_trains(two: list[str], tmp_path: Path) -> None:
    done = pht("ledger", root=tmp_path)
    assert done.status == 0, done.stderr
    head, _, *rows = done.stdout.decode().splitlines()
    assert head.split() == ["train", "session", "stops", "last", "boarding"]
    assert sorted(row.split()[:3] for row in rows) == [
        ["train-1", "a" * 16 + "…", "0"],
        ["train-1", "a" * 16 + "…", "1"],
    ]
    listed = json.loads(pht("ledger", "--json", root=tmp_path).stdout)
    assert sorted(entry["session"] for entry in listed) == two


@pytest.mark.parametrize(
    ("digits", "status", "code"),
    [
        ("a" * 15, 64, "session-malformed"),
        ("A" * 20, 64, "session-malformed"),
        ("../lock", 64, "session-malformed"),
        ("a" * 20, 64, "session-ambiguous"),
        ("b" * 20, 66, "session-not-found"),
    ],
)
def test_what_names_no_entry_forgets_none(
    digits: str, status: int, code: str, two: list[str], folder: Path, tmp_path: Path
) -> None:
    before = snapshot(folder)
    done = pht("ledger", "--forget", two[0], "--forget", digits, root=tmp_path)
    assert (done.status, done.code) == (status, code), done.stderr
    assert snapshot(folder) == before


def test_entries_are_forgotten(two: list[str], folder: Path, tmp_path: Path) -> None:
    done = pht("ledger", "--forget", two[0], "--forget", two[1][:21], root=tmp_path)
    assert done.status == 0, done.stderr
    assert entries(folder) == []


def test_a_damaged_entry_is_named_beside_the_others_and_forgotten(
    two: list[str], ledger: Ledger, folder: Path, tmp_path: Path
) -> None:
    damaged = ledger.files()[0]
    damaged.write_bytes(b"")
    done = pht("ledger", root=tmp_path)
    assert (done.status, done.code) == (78, "ledger-damaged"), done.stderr
    assert str(damaged) in done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert pht("ledger", "--forget", damaged.stem[:16], root=tmp_path).status == 0
    [left] = entries(folder)
    assert left["session"] in two


def test_copies_of_entries_are_none(two: list[str], ledger: Ledger, tmp_path: Path) -> None:
    """No visit looks for them, and forgetting one by its name could hit the entry itself."""
    [entry, _] = ledger.files()
    for name in (f"{entry.stem} (copy).json", f"{entry.name}.json", "copy.json"):
        entry.with_name(name).write_bytes(entry.read_bytes())
    done = pht("ledger", root=tmp_path)
    assert (done.status, len(done.stdout.splitlines())) == (0, 4), done.stderr
    assert pht("ledger", "--forget", entry.stem[:16], root=tmp_path).status == 0
    assert not entry.exists()


def test_without_a_ledger_there_is_nothing_to_list(tmp_path: Path) -> None:
    done = pht("ledger", root=tmp_path)
    assert (done.status, done.code) == (66, "ledger-missing")
    assert str(Paths(tmp_path).ledger) in done.stderr

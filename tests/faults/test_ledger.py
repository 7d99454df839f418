"""The runner is killed, or the disk fails, at each call that changes the ledger."""

import json
from pathlib import Path

import pytest

from tests.faults.conftest import Trace
from tests.faults.injection import fail, kill, kill_part
from tests.faults.second_stop import SecondStop
from tests.faults.strace import Call, Strace
from tests.ledger import entries, give_ledger

CALLS = ("write", "fchmod", "fchown", "fsync", "rename", "fsync")
"""The calls by which a visit replaces an entry."""

each_call = pytest.mark.parametrize("number", range(len(CALLS)))


def ledger_of(train: SecondStop) -> Path:
    return train.root / "var" / "lib" / "pht"


@pytest.fixture(scope="module")
def known(arrived: SecondStop, tmp_path_factory: pytest.TempPathFactory) -> SecondStop:
    """The train of `arrived` at a station with a ledger, where it boarded before its first stop."""
    train = arrived.copy_to(tmp_path_factory.mktemp("known") / "train")
    ledger = give_ledger(train.root)
    assert train.start("pre-run").status == train.start("undo").status == 0
    [path] = ledger.glob("*.json")
    path.write_text(
        json.dumps(json.loads(path.read_bytes()) | {"stops": 0, "link": "", "state": ""})
    )
    return train


@pytest.fixture(scope="module")
def calls(known: SecondStop, trace: Trace) -> list[Call]:
    found = [call for call in trace(known, "run") if str(Path("var", "lib", "pht")) in call.text]
    assert tuple(call.change for call in found if call.succeeded) == CALLS
    return [call for call in found if call.succeeded]


def assert_goes_on(train: SecondStop, state: str, *, recorded: bool) -> None:
    """Check which entry there is, and that the next start makes the visit."""
    files = [*ledger_of(train).glob("*.json")]
    assert [json.loads(path.read_bytes())["stops"] for path in files] == [int(recorded)]
    train.finish(state)
    [entry] = entries(ledger_of(train))
    assert entry["stops"] == 1


@each_call
def test_the_whole_runner_is_killed(
    number: int, known: SecondStop, calls: list[Call], strace: Strace, tmp_path: Path
) -> None:
    train = known.copy_to(tmp_path / "train")
    state = kill(train, "run", calls[number], strace)
    assert state == "open"
    assert_goes_on(train, state, recorded=number >= CALLS.index("rename"))


@each_call
def test_the_opener_is_killed(
    number: int, known: SecondStop, calls: list[Call], strace: Strace, tmp_path: Path
) -> None:
    train = known.copy_to(tmp_path / "train")
    state = kill_part(train, calls[number], strace)
    assert state == "old"
    assert_goes_on(train, state, recorded=number > CALLS.index("rename"))


@each_call
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_the_disk_fails(
    error: str, number: int, known: SecondStop, calls: list[Call], strace: Strace, tmp_path: Path
) -> None:
    train = known.copy_to(tmp_path / "train")
    state = fail(train, calls[number], error, strace)
    assert state == "old"
    assert_goes_on(train, state, recorded=number > CALLS.index("rename"))

"""One process of the runner is killed, or its train (docs/crash-safety.md)."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.conftest import Trace
from tests.faults.injection import CLOSER, OPENER, kill_part
from tests.faults.second_stop import SecondStop, ends_of_phases
from tests.faults.strace import Call, Strace, read_calls, spread
from tests.station import finish, wait_until, with_children

Running = tuple[SecondStop, "subprocess.Popen[bytes]"]

KILLS = {"arrived": 24, "arrived_by_route": 12}
SECOND_KILLS = 5


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name, kills in KILLS.items() for number in range(kills)]
)
def test_the_old_state_is_restored_or_sealing_goes_on(
    name: str,
    number: int,
    request: pytest.FixtureRequest,
    strace: Strace,
    trace: Trace,
    tmp_path: Path,
) -> None:
    arrived: SecondStop = request.getfixturevalue(name)
    calls = [call for call in trace(arrived, "run") if call.part is not None]
    train = arrived.copy_to(tmp_path / "train")
    train.finish(kill_part(train, spread(calls, KILLS[name])[number], strace))


@pytest.fixture
def running(train_to_kill: SecondStop, tmp_path: Path) -> Iterator[Running]:
    """A train that has changed its results and waits, and its runner."""
    train = replace(train_to_kill.copy_to(tmp_path / "train"), pauses=True)
    process = train.begin("run")
    wait_until((train.outside / "pause").exists)
    yield replace(train, pauses=False), process
    process.kill()


def test_a_train_that_is_killed_has_failed(running: Running) -> None:
    train, process = running
    os.kill(with_children(process.pid)[1], signal.SIGKILL)
    done = finish(process)
    assert (done.status, done.facts["result"]) == (137, "train-failed"), done.stderr
    assert (done.facts["reason"], done.facts["state"]) == ("signalled", "unchanged")
    train.require_beginning()


def test_a_supervisor_that_is_killed_takes_its_train_with_it(running: Running) -> None:
    train, process = running
    pid = with_children(process.pid)[1]
    process.kill()
    finish(process)
    wait_until(lambda: not Path("/proc", str(pid)).exists())
    assert train.state() == "open"
    train.finish("open")


@pytest.fixture(scope="session", params=["arrived", "arrived_by_route"])
def train_to_kill(request: pytest.FixtureRequest) -> SecondStop:
    train: SecondStop = request.getfixturevalue(request.param)
    return train


@pytest.fixture(scope="session", params=[OPENER, CLOSER], ids=["opener", "closer"])
def killed_call(request: pytest.FixtureRequest, train_to_kill: SecondStop, trace: Trace) -> Call:
    """The call at which a part is killed first: the whole train is plaintext by then."""
    visit = trace(train_to_kill, "run")
    sealing = ends_of_phases(visit)[2]
    before = [call for call in visit[:sealing] if call.part == request.param]
    return before[-1]


@pytest.fixture(scope="session")
def restoring(
    train_to_kill: SecondStop,
    killed_call: Call,
    strace: Strace,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Call]:
    """The calls of the part that restores the old state then."""
    folder = tmp_path_factory.mktemp("restoring")
    train = train_to_kill.copy_to(folder / "train")
    assert killed_call.part is not None
    restorer = killed_call.part + 1
    log = folder / "calls"
    tools = {
        killed_call.part: strace.injecting(killed_call, "signal=KILL"),
        restorer: strace.tracing(log),
    }
    assert train.start("run", parts=tools).facts["state"] == "unchanged"
    return read_calls(log, restorer)


@pytest.mark.parametrize("number", range(SECOND_KILLS))
def test_the_next_start_restores_it_if_that_is_killed_too(
    number: int,
    train_to_kill: SecondStop,
    killed_call: Call,
    restoring: list[Call],
    strace: Strace,
    tmp_path: Path,
) -> None:
    train = train_to_kill.copy_to(tmp_path / "train")
    second = spread(restoring, SECOND_KILLS)[number]
    tools = {
        call.part: strace.injecting(call, "signal=KILL")
        for call in (killed_call, second)
        if call.part is not None
    }
    ended = train.start("run", parts=tools)
    assert (ended.status, ended.code) == (71, "part-killed"), ended.stderr
    assert (ended.facts["state"], ended.facts["retry"]) == ("unfinished", "yes")
    state = train.state()
    assert state in ("open", "old")
    train.finish(state)

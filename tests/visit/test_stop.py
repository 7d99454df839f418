"""Stop signals in every part of a visit, and two visits at a time."""

import contextlib
import fcntl
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference
from tests.station import (
    PATIENCE_S,
    RUNS_TRAIN,
    Done,
    assert_explained,
    finish,
    in_process,
    is_read,
    journal,
    new_route_train,
    new_train,
    opened,
    pht,
    settle,
    snapshot,
    start,
    visit,
    wait_until,
)

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)

IMPORTS = """
import os, pathlib, signal, sys, time
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
data = pathlib.Path(os.environ["TRAIN_DATA_PATH"])
with (data / "runs").open("a") as runs:
    runs.write("x")
"""
READY = "(results / 'new').write_bytes(b'x'); print('ready', flush=True); time.sleep(60)"
LARGE = "[(results / f'{n:02}').write_bytes(bytes([n]) * 8_000_000) for n in range(16)]"
"""More than one batch, so that some files are sealed already when the visit stops."""


def second_stop(root: Path, script: str) -> Path:
    """Lay out a train with sealed results that is about to stop at station_2."""
    opt = new_train(root, IMPORTS + script)
    (opt / "pht_results" / "old").write_bytes(b"old")
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    runs(root).parent.mkdir()
    settle(root, "station_2", TRAIN_DATA_PATH=str(runs(root).parent))
    return opt


def runs(root: Path) -> Path:
    """Return the file to which every run of the train adds a letter.

    It lies beside the root folder, in which a train may only write its own files.
    """
    return root.with_name(f"{root.name}-data") / "runs"


def start_visit(root: Path) -> "subprocess.Popen[bytes]":
    return start("run", "--", *RUNS_TRAIN, root=root)


def is_sealed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(5) == b"gAAAA"


def has_sealed_a_batch(root: Path) -> bool:
    """Return whether the first file of LARGE is sealed already."""
    first = root / "opt" / "pht_results" / "00"
    return first.exists() and is_sealed(first)


def unread(pipe: int) -> int:
    """Return how many bytes a pipe holds."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def stop_when(root: Path, condition: Callable[[Path], bool]) -> Done:
    """Begin a visit and stop it as soon as the disk says so."""
    process = start_visit(root)
    wait_until(lambda: condition(root) or process.poll() is not None)
    process.send_signal(signal.SIGTERM)
    return finish(process)


@pytest.mark.parametrize("build", [new_train, new_route_train], ids=["flat", "route"])
@pytest.mark.parametrize("command", [["run", "--", *RUNS_TRAIN], ["check"]], ids=["run", "check"])
def test_a_stop_while_the_definition_is_verified(
    command: list[str], build: Callable[..., Path], tmp_path: Path
) -> None:
    large = build(tmp_path, "", {"large": bytes(100_000_000)}) / "pht_train" / "large"
    settle(tmp_path, "station_1")
    before = snapshot(tmp_path)

    process = start(*command, root=tmp_path)
    wait_until(lambda: is_read(large, process.pid))
    process.send_signal(signal.SIGTERM)
    done = finish(process)

    assert (done.status, done.facts["result"], done.facts["stage"]) == (143, "stopped", "verify")
    assert (done.facts["state"], done.facts["retry"]) == ("unchanged", "yes")
    assert snapshot(tmp_path) == before


def test_a_stop_while_nobody_reads_the_query(tmp_path: Path) -> None:
    new_train(tmp_path, "", {"query.json": bytes(1_000_000)})
    settle(tmp_path, "station_1")

    process = start("query", root=tmp_path)
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    wait_until(lambda: unread(pipe) == fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ))
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE_S)
    process.kill()  # nothing to a process that has ended
    done = finish(process)

    assert (done.status, done.facts["result"]) == (143, "stopped")


def test_the_chain_is_verified_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the commit the files are looked at again, the signatures of up to 1,000 stops not."""
    second_stop(tmp_path, "")
    verified: list[object] = []
    monkeypatch.setattr("entrypoint.protocol.verify.verify_signatures", verified.append)
    assert in_process("pre-run", tmp_path).status == 0
    assert in_process("post-run", tmp_path).status == 0
    assert len(verified) == 1


@pytest.mark.parametrize("number", STOPS)
def test_a_stop_while_the_train_runs(number: signal.Signals, tmp_path: Path) -> None:
    second_stop(tmp_path, READY)
    runs(tmp_path).touch()
    before = snapshot(tmp_path / "opt")
    process = start_visit(tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    process.send_signal(number)
    done = finish(process)

    assert done.status == 128 + number
    facts = {name: done.facts[name] for name in ("result", "stage", "by", "retry", "state")}
    assert facts == {
        "result": "stopped",
        "stage": "command",
        "by": "station",
        "retry": "yes",
        "state": "unchanged",
    }
    assert snapshot(tmp_path / "opt") == before


def test_a_train_that_ends_well_when_it_is_stopped_is_not_sealed(tmp_path: Path) -> None:
    """Whether its results are complete is not known, so they count for nothing."""
    second_stop(tmp_path, f"signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); {READY}")
    before = snapshot(tmp_path / "opt")
    process = start_visit(tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    process.send_signal(signal.SIGTERM)
    done = finish(process)

    assert (done.status, done.facts["result"]) == (143, "stopped")
    assert snapshot(tmp_path / "opt") == before


def test_a_stop_while_results_are_opened(tmp_path: Path) -> None:
    opt = new_train(tmp_path, "")
    (opt / "pht_results" / "large").write_bytes(bytes(100_000_000))
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    settle(tmp_path, "station_2")
    before = snapshot(tmp_path)

    done = stop_when(tmp_path, lambda root: reference.phase(root / "opt") == "opening")

    assert (done.status, done.facts["result"], done.facts["stage"]) == (143, "stopped", "decrypt")
    assert (done.facts["state"], done.facts["retry"]) == ("unchanged", "yes")
    assert snapshot(tmp_path) == before


def test_a_stop_while_sealing_is_finished_by_the_next_start(tmp_path: Path) -> None:
    opt = second_stop(tmp_path, LARGE)

    stopped = stop_when(tmp_path, has_sealed_a_batch)

    assert_explained(stopped, 75, "stopped-while-sealing")
    facts = {name: stopped.facts[name] for name in ("stage", "by", "retry", "state")}
    assert facts == {"stage": "seal", "by": "station", "retry": "yes", "state": "unfinished"}
    assert journal(tmp_path)["phase"] == "sealing"
    assert_explained(pht("check", root=tmp_path), 76, "wrong-half")
    assert_explained(pht("undo", root=tmp_path), 76, "wrong-half")
    assert_explained(pht("pre-run", root=tmp_path), 76, "wrong-half")
    finished = visit(tmp_path)

    assert (finished.status, finished.facts["state"]) == (0, "sealed")
    assert "pht: step 6: the train runs" not in finished.lines
    assert runs(tmp_path).read_text() == "x"
    expected = {f"{number:02}": bytes([number]) * 8_000_000 for number in range(16)}
    assert opened(opt) == {"old": b"old", **expected}
    assert not (opt / "pht_results.pht").exists()


def test_sealing_may_be_stopped_again_and_again(tmp_path: Path) -> None:
    opt = second_stop(tmp_path, LARGE)
    assert stop_when(tmp_path, has_sealed_a_batch).status == 75
    assert not is_sealed(opt / "pht_results" / "15")
    for _ in range(2):
        process = start_visit(tmp_path)
        assert process.stderr is not None
        assert b"sealing goes on" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert finish(process).status == 75

    assert pht("post-run", root=tmp_path).status == 0
    assert runs(tmp_path).read_text() == "x"
    assert len(opened(opt)) == 17


def test_no_second_visit_while_one_is_under_way(tmp_path: Path) -> None:
    opt = second_stop(tmp_path, "print('ready', flush=True); sys.stdin.read()")
    process = start_visit(tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    before = snapshot(tmp_path)

    for command in (["run", "--", *RUNS_TRAIN], ["pre-run"], ["post-run"], ["undo"], ["check"]):
        done = pht(*command, root=tmp_path)
        assert_explained(done, 71, "visit-in-progress")
        assert done.facts["retry"] == "yes"
        assert snapshot(tmp_path) == before

    assert finish(process).status == 0
    assert opened(opt) == {"old": b"old"}


def test_a_visit_that_was_killed_leaves_no_lock(tmp_path: Path) -> None:
    opt = second_stop(tmp_path, "print('ready', flush=True); sys.stdin.read()")
    process = start_visit(tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.communicate()
    assert reference.phase(tmp_path / "opt") == "open"

    done = visit(tmp_path)

    assert done.status == 0
    assert "pht: undoing an interrupted visit first" in done.lines
    assert opened(opt) == {"old": b"old"}
    assert runs(tmp_path).read_text() == "xx"

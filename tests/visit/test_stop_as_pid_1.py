"""Stop signals to a runner that is PID 1: forwarded to opener, train and closer."""

import os
import signal
import subprocess
from pathlib import Path

from tests import reference
from tests.station import (
    RUNS_TRAIN,
    Done,
    assert_explained,
    finish,
    journal,
    new_train,
    opened,
    settle,
    snapshot,
    start,
    visit,
    wait_until,
    with_children,
)
from tests.unit.child.starter import as_pid_1

IMPORTS = """
import os, pathlib, sys, time
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
print(os.getppid(), flush=True)
"""
SIZE = 100_000_000


def second_stop(root: Path, script: str, old: bytes = b"old") -> Path:
    """Lay out a train with a sealed result that is about to stop at station_2."""
    opt = new_train(root, IMPORTS + script)
    (opt / "pht_results" / "old").write_bytes(old)
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))
    settle(root, "station_2")
    return opt


def start_visit(root: Path) -> "subprocess.Popen[bytes]":
    return start("run", "--", *RUNS_TRAIN, root=root, under=as_pid_1())


def stop(process: "subprocess.Popen[bytes]") -> Done:
    """Send SIGTERM to the runner, the child of the process that made it PID 1, and to no other."""
    _, runner = with_children(process.pid)
    os.kill(runner, signal.SIGTERM)
    return finish(process)


def wait_for_phase(root: Path, phase: str, process: "subprocess.Popen[bytes]") -> None:
    config, sign = root / "opt" / "train_config.json", f'"phase": "{phase}"'.encode()
    wait_until(lambda: sign in config.read_bytes() or process.poll() is not None)


def test_while_the_opener_decrypts(tmp_path: Path) -> None:
    second_stop(tmp_path, "", bytes(SIZE))
    before = snapshot(tmp_path)
    process = start_visit(tmp_path)
    wait_for_phase(tmp_path, "opening", process)

    done = stop(process)

    assert (done.status, done.facts["result"], done.facts["stage"]) == (143, "stopped", "decrypt")
    assert (done.facts["state"], done.facts["retry"]) == ("unchanged", "yes")
    assert done.stdout == b""
    assert snapshot(tmp_path) == before


def test_while_the_train_runs(tmp_path: Path) -> None:
    second_stop(tmp_path, "time.sleep(60)")
    before = snapshot(tmp_path)
    process = start_visit(tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"1\n"

    done = stop(process)

    assert (done.status, done.facts["result"], done.facts["stage"]) == (143, "stopped", "command")
    assert (done.facts["state"], done.facts["retry"]) == ("unchanged", "yes")
    assert snapshot(tmp_path) == before


def test_while_the_closer_seals(tmp_path: Path) -> None:
    opt = second_stop(tmp_path, f"(results / 'old').write_bytes(bytes({SIZE}))")
    process = start_visit(tmp_path)
    wait_for_phase(tmp_path, "sealing", process)

    done = stop(process)

    assert_explained(done, 75, "stopped-while-sealing")
    assert (done.facts["stage"], done.facts["state"]) == ("seal", "unfinished")
    assert journal(tmp_path)["phase"] == "sealing"
    again = visit(tmp_path)
    assert (again.status, again.stdout) == (0, b""), again.stderr
    assert opened(opt) == {"old": bytes(SIZE)}

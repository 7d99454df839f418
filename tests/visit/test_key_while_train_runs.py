"""The station's key is loaded by opener and closer; while the train runs, no process holds it."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests import reference
from tests.station import (
    RUNS_TRAIN,
    Done,
    assert_explained,
    finish,
    new_train,
    pht,
    settle,
    snapshot,
    start,
    wait_until,
    with_children,
)

WAITS = """
import os, pathlib, sys, time
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
(results / "runs").touch()
while not (results / "go").exists():
    time.sleep(0.01)
sys.exit(int((results / "go").read_text() or 0))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A train before its first stop that runs until it is told to end."""
    new_train(tmp_path, WAITS)
    settle(tmp_path, "station_1")
    return tmp_path


def key_of(root: Path) -> Path:
    return root / "run" / "pht" / "private_key.pem"


def start_visit(root: Path) -> "subprocess.Popen[bytes]":
    """Start a visit and return while its train runs."""
    process = start("run", "--", *RUNS_TRAIN, root=root)
    wait_until(lambda: (root / "opt/pht_results/runs").exists() or process.poll() is not None)
    return process


def end_train(root: Path, process: "subprocess.Popen[bytes]", status: int = 0) -> Done:
    """Let the train end with a status, and return how the visit ended."""
    told = root / "opt/pht_results/told"
    told.write_text(str(status or ""))
    told.rename(told.with_name("go"))
    return finish(process)


def memory_of(pid: int) -> bytes:
    """Return everything that a process could read of its own memory."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            start, end = (int(text, 16) for text in line.split()[0].split("-"))
            if line.split()[1].startswith("rw"):
                memory.seek(start)
                found.append(memory.read(end - start))
    return b"".join(found)


def test_the_supervisor_holds_neither_the_key_nor_its_factors(root: Path) -> None:
    pem = key_of(root).read_bytes()
    key = load_pem_private_key(pem, None)
    assert isinstance(key, RSAPrivateKey)
    numbers = key.private_numbers()
    secrets = {"PEM": pem.splitlines()[1]}
    for name in ("p", "q", "d"):  # as OpenSSL holds large numbers
        secrets[name] = getattr(numbers, name).to_bytes(1024, "little")[:64]
    process = start_visit(root)
    memory = memory_of(process.pid)
    assert b"pht_train" in memory
    assert [name for name, secret in secrets.items() if secret in memory] == []
    assert end_train(root, process).facts["result"] == "visited"


CHANGES: dict[str, Callable[[Path], object]] = {
    "gone": lambda key: key.unlink(),
    "another": lambda key: key.write_bytes(reference.vector_key("station_2", private=True)),
    "of another form": lambda key: key.write_bytes(b"no key"),
}
CODES = {
    "gone": "private-key-missing",
    "another": "private-key-changed",
    "of another form": "private-key-unusable",
}


@pytest.mark.parametrize("status", [0, 3], ids=["success", "failure"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_key_that_changes_while_the_train_runs_loses_nothing(
    change: str, status: int, root: Path
) -> None:
    before = snapshot(root / "opt")
    process = start_visit(root)
    CHANGES[change](key_of(root))

    done = end_train(root, process, status)

    assert (done.status, done.code, done.facts["state"]) == (78, CODES[change], "unfinished")
    assert f"[{CODES[change]}]\npht: hint: " in done.stderr
    assert ("[train-failed]" in done.stderr) == bool(status)
    settle(root, "station_1")
    assert pht("undo", root=root).facts["result"] == "undone"
    assert snapshot(root / "opt") == before


def kill_part(root: Path, process: "subprocess.Popen[bytes]") -> None:
    """Kill the process that opens or seals."""
    wait_until(lambda: len(with_children(process.pid)) > 1 or process.poll() is not None)
    os.kill(with_children(process.pid)[1], signal.SIGKILL)


def test_a_killed_opener_is_undone(root: Path) -> None:
    before = snapshot(root)
    process = start("run", "--", *RUNS_TRAIN, root=root)
    kill_part(root, process)
    done = finish(process)
    assert_explained(done, 71, "part-killed")
    assert (done.facts["state"], done.facts["retry"]) == ("unchanged", "yes")
    assert snapshot(root) == before


def test_a_killed_closer_that_has_begun_to_seal_is_finished_by_the_next_start(root: Path) -> None:
    process = start_visit(root)
    (root / "opt/pht_results/large").write_bytes(bytes(300_000_000))
    told = root / "opt/pht_results/go"
    told.touch()
    config = root / "opt/train_config.json"
    wait_until(lambda: b'"sealing"' in config.read_bytes() or process.poll() is not None)
    kill_part(root, process)
    done = finish(process)
    assert_explained(done, 75, "stopped-while-sealing")
    assert (done.facts["state"], done.facts["retry"]) == ("unfinished", "yes")
    again = pht("run", "--", *RUNS_TRAIN, root=root)
    assert again.facts["result"] == "visited"
    assert "sealing goes on" in again.stderr


def test_a_killed_supervisor_takes_the_opener_with_it(root: Path) -> None:
    process = start("run", "--", *RUNS_TRAIN, root=root)
    wait_until(lambda: len(with_children(process.pid)) > 1 or process.poll() is not None)
    part = with_children(process.pid)[1]
    process.kill()
    finish(process)
    wait_until(lambda: not Path(f"/proc/{part}/stat").exists())

"""Signals that an engine sends: every one reaches the train, and a stop leaves no half visit."""

import functools
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import reference
from tests.containers.engine import Engine
from tests.containers.fixtures import NOT_PID_1, SLOW_START, not_in_gvisor
from tests.containers.plain_options import ID, KEY
from tests.containers.visitor import (
    COUNTS,
    FIRST,
    Container,
    arrived,
    assert_taken_back,
    assert_visited,
    shared,
)
from tests.station import new_train, opened, unpack

PLACES = [
    pytest.param([], id="PID 1"),
    pytest.param(["--init"], id="under an init", marks=NOT_PID_1),
]

SIGNALS = (*range(34, 65, 10), *(10, 12, 14, 16, 18, 23, 24, 26, 27, 28, 29, 30), *(3, 1, 2, 15))
"""Signals that a train may wait for: some in real time, most others, and those that stop it."""

NO_REAL_TIME = not_in_gvisor("its `kill` sends no signals in real time")

TAKES_SIGNALS = """
import os, signal
arrived, tell = os.pipe()
os.set_blocking(tell, False)
signal.set_wakeup_fd(tell)
for number in {signals}:
    signal.signal(number, lambda *_: None)
print("ready", flush=True)
got = []
while 15 not in got:
    got += os.read(arrived, 1)
    print(*got, flush=True)
"""


MAY_LOOK = ("--cap-add", "SYS_PTRACE")
"""Options of a container in which another process may see the open files of the runner."""


def has_open(running: Container, path: str) -> bool:
    """Return whether a process of a container, which was made with MAY_LOOK, has a file open."""
    listed = running.engine.call("exec", running.id, "sh", "-c", "ls -l /proc/[0-9]*/fd")
    return f" -> {path}\n".encode() in listed.stdout


@pytest.mark.parametrize(
    ("runner_image", "signals"),
    [
        pytest.param("bookworm", SIGNALS, marks=NO_REAL_TIME),
        pytest.param("musl", SIGNALS[1:], marks=NO_REAL_TIME),  # musl keeps 34 for itself
        ("bookworm", [number for number in SIGNALS if number < 32]),
    ],
    indirect=["runner_image"],
    ids=["bookworm", "musl", "none in real time"],
)
@pytest.mark.parametrize("init", PLACES)
def test_every_signal_reaches_the_train(
    signals: Sequence[int], init: list[str], engine: Engine, train_image: str, tmp_path: Path
) -> None:
    opt = arrived(tmp_path, TAKES_SIGNALS.format(signals=signals))
    visitor = Container.create(engine, train_image, opt, [*ID, *KEY, *init])
    visitor.start()
    visitor.wait_until(lambda running: running.said(b"ready"))
    for position, number in enumerate(signals, start=1):
        engine.must("kill", "--signal", str(number), visitor.id)
        got = b"\n%s\n" % " ".join(map(str, signals[:position])).encode()
        if number != signals[-1]:
            visitor.wait_until(functools.partial(Container.said, text=got))

    done = visitor.ended()

    assert done.stdout.splitlines()[-1].split() == [str(number).encode() for number in signals]
    assert (done.status, done.facts["result"]) == (131, "stopped")


@SLOW_START
@pytest.mark.parametrize("init", PLACES)
def test_a_stop_while_the_train_is_verified_leaves_it_as_it_is(
    init: list[str], engine: Engine, train_image: str, tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS, {"large": bytes(128 * 1024 * 1024)})
    slow = ["--cpus", "0.1"]
    visitor = Container.create(engine, train_image, opt, [*ID, *KEY, *slow, *MAY_LOOK, *init])
    visitor.start()
    visitor.wait_until(lambda running: has_open(running, "/opt/pht_train/large"))

    done = visitor.stop()

    assert (done.status, done.facts["result"], done.facts["stage"]) == (143, "stopped", "verify")
    assert done.facts["state"] == "unchanged"
    assert_taken_back(visitor, opt, tmp_path / "after")


@pytest.mark.parametrize(
    ("init", "runner_image"),
    [([], "bookworm"), pytest.param(["--init"], "musl", marks=NOT_PID_1)],
    indirect=["runner_image"],
    ids=["PID 1", "under an init, musl"],
)
def test_a_stop_while_the_results_are_decrypted_takes_the_visit_back(
    init: list[str], engine: Engine, train_image: str, tmp_path: Path
) -> None:
    opt = new_train(tmp_path, COUNTS)
    (opt / "pht_results" / "large").write_bytes(bytes(96 * 1024 * 1024))
    reference.published_post_run(opt, FIRST, reference.vector_key(FIRST, private=True))
    slow = ["--cpus", "0.2"]
    visitor = Container.create(engine, train_image, opt, [*ID, *KEY, *slow, *init])
    visitor.start()
    visitor.wait_until(lambda running: running.phase() == "opening")

    done = visitor.stop()

    assert (done.status, done.facts["result"], done.facts["stage"]) == (143, "stopped", "decrypt")
    assert_taken_back(visitor, opt, tmp_path / "after")


@pytest.mark.parametrize("init", PLACES)
def test_a_stop_while_the_sealed_train_is_exported_lets_that_finish(
    init: list[str], engine: Engine, train_image: str, data: Path, tmp_path: Path
) -> None:
    opt = arrived(tmp_path, "import os\nos.truncate('/opt/pht_results/visits', 64 << 20)")
    slow = ["--cpus", "0.3", "--env", "PHT_EXPORT=/opt/train_data/train.tar"]
    visitor = Container.create(engine, train_image, opt, [*ID, *KEY, *shared(data), *slow, *init])
    visitor.start()
    visitor.wait_until(lambda running: running.phase() == "sealing")  # the place was tried before
    visitor.wait_until(lambda _: (data / "train.tar.part").exists())

    assert_visited(visitor.stop())

    (tmp_path / "exported").mkdir()
    exported = unpack(data / "train.tar", tmp_path / "exported")
    assert len(opened(exported)["visits"]) == 64 << 20

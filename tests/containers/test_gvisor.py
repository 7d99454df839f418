"""A visit on a kernel that is not Linux: gVisor, which does not tell all that Linux does."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import gvisor, or_skip
from tests.containers.plain_options import ID, KEY
from tests.containers.visitor import (
    COUNTS,
    SECOND,
    WAITS,
    Container,
    arrived,
    arrived_by_route,
    assert_taken_back,
    assert_visited,
    shared,
    station_folder,
)
from tests.station import assert_explained, opened, settle, unpack

LARGE = COUNTS + "(results / 'large').write_bytes(bytes(3_000_000))\n"
"""A train with a result for which two processes share the work."""

EXECUTES = """
import os, pathlib, subprocess
program = pathlib.Path(os.environ["TMPDIR"]) / "program"
program.write_text("#!/bin/sh\\n")
program.chmod(0o755)
subprocess.run([program], check=True)
"""

LEAVES_A_PROCESS = """
import os, time
if os.fork() == 0:
    os.setsid()
    while True:
        open("/opt/pht_results/late", "a").write("late")
while not os.path.exists("/opt/pht_results/late"):
    time.sleep(0.01)
"""


OPENS_FILES_OF_THE_RUNNER = """
import os, stat
for name in os.listdir("/proc/1/fd"):
    path = "/proc/1/fd/" + name
    if stat.S_ISREG(os.stat(path).st_mode):
        try:
            print(open(path, "rb").read())
        except PermissionError:
            print("closed")
"""


@pytest.fixture
def in_gvisor(engine: Engine) -> list[str]:
    """The options of a container in gVisor."""
    return or_skip(lambda: gvisor(engine))


@pytest.fixture
def sandbox(in_gvisor: list[str], station: list[str]) -> list[str]:
    """The options of a container at the second station, in gVisor."""
    return [*station, *in_gvisor]


@pytest.mark.parametrize("arrive", [arrived, arrived_by_route], ids=["flat", "route"])
@pytest.mark.parametrize(
    ("volume", "runner_image"),
    [([], "bookworm"), (["--volume", "/opt"], "musl")],
    indirect=["runner_image"],
    ids=["layer", "volume, musl"],
)
def test_a_visit_and_its_export(
    volume: list[str],
    arrive: Callable[[Path, str], Path],
    engine: Engine,
    train_image: str,
    sandbox: list[str],
    data: Path,
    tmp_path: Path,
) -> None:
    export = [*shared(data), "--env", "PHT_EXPORT=/opt/train_data/train.tar"]
    opt = arrive(tmp_path, LARGE)
    visitor = Container.create(engine, train_image, opt, [*sandbox, *volume, *export])

    assert_visited(visitor.run())

    expected = {"visits": b"2", "large": bytes(3_000_000)}
    assert opened(visitor.take(tmp_path / "after")) == expected
    (tmp_path / "exported").mkdir()
    assert opened(unpack(data / "train.tar", tmp_path / "exported")) == expected


@pytest.mark.parametrize("mounted", ["/tmp", "/tmp:exec"])
def test_temporary_files_of_a_train_can_be_executed(
    mounted: str, engine: Engine, train_image: str, sandbox: list[str], tmp_path: Path
) -> None:
    opt, options = arrived(tmp_path, EXECUTES), [*sandbox, "--tmpfs", mounted]

    assert_visited(Container.create(engine, train_image, opt, options).run())


def test_what_the_train_leaves_running_is_ended(
    engine: Engine, train_image: str, sandbox: list[str], tmp_path: Path
) -> None:
    visitor = Container.create(engine, train_image, arrived(tmp_path, LEAVES_A_PROCESS), sandbox)
    assert_visited(visitor.run())
    assert opened(visitor.take(tmp_path / "after")).keys() == {"late", "visits"}


def test_a_train_that_fails_is_taken_back(
    engine: Engine, train_image: str, sandbox: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS + "raise SystemExit(3)")
    visitor = Container.create(engine, train_image, opt, sandbox)

    done = visitor.run()

    assert (done.status, done.facts["result"]) == (3, "train-failed")
    assert done.facts["state"] == "unchanged"
    assert_taken_back(visitor, opt, tmp_path / "after")


def test_a_visit_that_was_killed_is_made_by_the_next_start(
    engine: Engine, train_image: str, sandbox: list[str], data: Path, tmp_path: Path
) -> None:
    (data / "hold").touch()
    opt = arrived(tmp_path, WAITS)
    visitor = Container.create(engine, train_image, opt, [*sandbox, *shared(data)])
    visitor.start()
    visitor.wait_until(lambda running: running.said(b"aboard"))
    assert visitor.kill().status == 137
    (data / "hold").unlink()

    assert_visited(visitor.run())

    assert opened(visitor.take(tmp_path / "after")) == {"visits": b"2"}


def test_a_station_folder_that_the_image_could_have_filled_is_refused(
    engine: Engine, train_image: str, sandbox: list[str], tmp_path: Path
) -> None:
    writable = [option.removesuffix(":ro") for option in sandbox]
    visitor = Container.create(engine, train_image, arrived(tmp_path, COUNTS), writable)
    assert_explained(visitor.run(), 78, "station-folder-writable")


def test_memory_with_the_key_is_closed_to_the_train(
    engine: Engine, train_image: str, in_gvisor: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS + OPENS_FILES_OF_THE_RUNNER)
    visitor = Container.create(engine, train_image, opt, [*in_gvisor, *ID, *KEY])
    done = visitor.run()
    assert_visited(done)
    assert b"closed" in done.stdout
    assert KEY[-1].rpartition("=")[2].encode() not in done.stdout


def test_under_an_init_the_missing_list_of_processes_is_told(
    engine: Engine, train_image: str, sandbox: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS)
    visitor = Container.create(engine, train_image, opt, [*sandbox, "--init"])
    done = visitor.run()
    assert_explained(done, 71, "no-process-list")
    assert "without --init" in done.stderr
    assert_taken_back(visitor, opt, tmp_path / "after")


def test_data_that_the_train_may_not_read_is_refused_and_another_user_reads_it(
    engine: Engine, train_image: str, in_gvisor: list[str], data: Path, tmp_path: Path
) -> None:
    """No capability is lent for them, as on Linux behind Landlock."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to give data to another user")
    (data / "rows").touch(0o600)
    os.chown(data / "rows", 4321, 4321)
    opt, named = arrived(tmp_path, COUNTS), ["--env", "TRAIN_DATA_PATH=/opt/train_data/rows"]
    options = [*station_folder(tmp_path), *in_gvisor, *shared(data), *named]
    settle(tmp_path, SECOND)
    assert_explained(
        Container.create(engine, train_image, opt, options).run(), 66, "data-unreadable"
    )
    settle(tmp_path, SECOND, PHT_TRAIN_USER="4321")
    assert_visited(Container.create(engine, train_image, opt, options).run())

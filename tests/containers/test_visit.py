"""Whole visits in containers: `docker run` of a train's image is all that a station does."""

import os
import subprocess
from pathlib import Path

import pytest

from tests import reference
from tests.containers.engine import Engine
from tests.containers.fixtures import NOT_PID_1
from tests.containers.visitor import (
    COUNTS,
    FIRST,
    SECOND,
    WAITS,
    Container,
    arrived,
    assert_taken_back,
    assert_visited,
    build_image,
    shared,
    station_folder,
)
from tests.reference import STATIONS
from tests.station import leaked, new_train, opened, settle
from tests.terminal import Terminal


def test_a_train_visits_with_the_station_folder(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    container = Container.create(engine, train_image, arrived(tmp_path, COUNTS), station)
    assert_visited(container.run())
    opt = container.take(tmp_path / "after")
    assert opened(opt) == opened(opt, STATIONS[2]) == {"visits": b"2"}
    assert reference.verify_chain(reference.load_config(opt)) == [FIRST, SECOND]


def test_a_train_visits_with_variables_and_does_not_see_the_key(
    engine: Engine, train_image: str, tmp_path: Path
) -> None:
    script = 'import os\nfor name, value in os.environ.items(): print(f"{name}={value}")'
    key = reference.vector_key(SECOND, private=True).hex()
    options = ["--env", f"RSA_STATION_PRIVATE_KEY={key}", "--env", f"STATION_ID={SECOND}"]
    container = Container.create(engine, train_image, arrived(tmp_path, script), options)
    done = container.run()
    assert_visited(done)
    seen = done.stdout.decode().splitlines()
    assert {"PHT_TRAIN_DIR=/opt/pht_train", "PHT_RESULTS_DIR=/opt/pht_results"} <= set(seen)
    assert not [line for line in seen if "PRIVATE_KEY" in line]
    assert not leaked(done.stdout.decode() + done.stderr)


def test_a_visit_changes_nothing_but_the_train(
    engine: Engine, train_image: str, tmp_path: Path
) -> None:
    script = COUNTS + "import helper; (results / 'added').touch()"
    opt = arrived(tmp_path, script, {"helper.py": b"import decimal\n"})
    key = reference.vector_key(SECOND, private=True).hex()
    options = ["--env", f"RSA_STATION_PRIVATE_KEY={key}", "--env", f"STATION_ID={SECOND}"]
    for path in opt.rglob("*"):  # the engine misses a change of contents within a second
        os.utime(path, (0, 0))
    container = Container.create(engine, train_image, opt, options)
    assert_visited(container.run())
    results = {"/opt/pht_results", "/opt/pht_results/visits", "/opt/pht_results/added"}
    others = {"/opt", "/opt/train_config.json", "/opt/user_sym_key.key"}
    assert container.changes() == results | others


def test_a_train_visits_three_stations_one_after_the_other(
    engine: Engine, train_image: str, tmp_path: Path
) -> None:
    opt = new_train(tmp_path, COUNTS)
    last: Container | None = None
    for number, name in enumerate(STATIONS, start=1):
        settle(tmp_path / name, name)
        container = Container(
            engine, engine.create(train_image, options=station_folder(tmp_path / name))
        )
        container.put(opt) if last is None else last.hand_over(container)
        assert_visited(container.run())
        opt = container.take(tmp_path / name / "after")
        for reader in (None, *STATIONS):
            assert opened(opt, reader) == {"visits": str(number).encode()}
        last = container
    config = reference.load_config(opt)
    reference.verify_definition(config, opt / "pht_train")
    assert reference.verify_chain(config) == list(STATIONS)


@pytest.mark.parametrize("stage", range(3))
def test_the_published_train_goes_on_from_any_stage(
    stage: int, engine: Engine, runner_image: str, tmp_path: Path
) -> None:
    command = ("sh", "/opt/pht_train/entrypoint.sh")
    image = build_image(engine, runner_image, command, name="published")
    opt = reference.lay_out(stage, tmp_path / "published")
    for number, name in enumerate(STATIONS[stage:], start=stage + 1):
        settle(tmp_path / name, name)
        container = Container.create(engine, image, opt, station_folder(tmp_path / name))
        assert_visited(container.run())
        opt = container.take(tmp_path / name / "after")
        config = reference.load_config(opt)
        assert reference.verify_chain(config) == list(STATIONS[:number])
        recorded = reference.result_files(reference.lay_out_plain(number, tmp_path / f"{number}"))
        results = reference.decrypt_results(
            opt, reference.vector_key(STATIONS[-1], private=True), STATIONS[-1]
        )
        assert without_noise(results) == without_noise(recorded)
        assert (opt / "pht_results" / "link_to_file").readlink() == Path("a.txt")
        assert (opt / "pht_results" / "emptydir").is_dir()


def without_noise(results: dict[str, reference.ResultFile]) -> dict[str, object]:
    """Return results without the content that the train draws at random.

    Its size varies too: gVisor may answer one read of /dev/urandom with fewer bytes than asked for.
    """
    noise = "deep/nested/dir/random.bin"
    return {**results, noise: results[noise].mode}


def test_the_sealed_train_is_exported_where_containers_are_thrown_away(
    engine: Engine, train_image: str, station: list[str], data: Path, tmp_path: Path
) -> None:
    options = [*station, *shared(data), "--env", "PHT_EXPORT=/opt/train_data/train.tar"]
    container = Container.create(engine, train_image, arrived(tmp_path, COUNTS), options)
    assert_visited(container.run())
    exported = tmp_path / "exported"
    exported.mkdir()
    subprocess.run(["tar", "-xf", data / "train.tar", "-C", exported], check=True)
    assert opened(exported) == {"visits": b"2"}


@NOT_PID_1
def test_the_init_of_the_engine_may_stand_in_front(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS)
    container = Container.create(engine, train_image, opt, [*station, "--init"])
    assert_visited(container.run())


@pytest.mark.parametrize(
    "init",
    [pytest.param([], id="PID 1"), pytest.param(["--init"], id="under an init", marks=NOT_PID_1)],
)
def test_what_the_train_leaves_running_is_ended_before_its_results_are_sealed(
    init: list[str], engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    script = """\
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            with open("/opt/pht_results/late", "a") as file:
                file.write("late\\n")
    os._exit(0)
while not os.path.exists("/opt/pht_results/late"):
    time.sleep(0.01)
"""
    opt = arrived(tmp_path, script)
    container = Container.create(engine, train_image, opt, [*station, *init])
    assert_visited(container.run())
    assert opened(container.take(tmp_path / "after")).keys() == {"late", "visits"}


def test_results_may_lie_on_a_volume(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS)
    options = [*station, "--volume", "/opt/pht_results"]
    container = Container.create(engine, train_image, opt, options)
    assert_visited(container.run())
    assert opened(container.take(tmp_path / "after")) == {"visits": b"2"}
    assert os.listdir(tmp_path / "after" / "opt" / "pht_results") == ["visits"]


# --- streams -------------------------------------------------------------------------------------


def test_the_train_reads_what_the_container_is_given(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    script = "import sys; print(sys.stdin.read().upper(), end='')"
    opt = arrived(tmp_path, script)
    container = Container.create(engine, train_image, opt, [*station, "--interactive"])
    done = container.run(b"lung\n")
    assert_visited(done)
    assert done.stdout == b"LUNG\n"


def start_at(terminal: Terminal, container: Container) -> "subprocess.Popen[bytes]":
    """Start a container from a terminal."""
    client = container.engine.client
    command = [client, "start", "--attach", "--interactive", container.id]
    return subprocess.Popen(command, **terminal.streams())


def test_the_train_may_ask_at_a_terminal(
    engine: Engine, train_image: str, station: list[str], terminal: Terminal, tmp_path: Path
) -> None:
    opt = arrived(tmp_path, "import sys; print(sys.stdin.isatty(), input('name? ').upper())")
    container = Container.create(engine, train_image, opt, [*station, "--tty", "--interactive"])
    with start_at(terminal, container) as client:
        terminal.wait_for(b"name? ")
        terminal.type(b"lung\r")
        terminal.wait_for(b"True LUNG")
        terminal.wait_for(b"result=visited status=0")
    assert client.returncode == 0


def test_a_key_of_the_terminal_stops_the_visit(
    engine: Engine,
    train_image: str,
    station: list[str],
    data: Path,
    terminal: Terminal,
    tmp_path: Path,
) -> None:
    # Not one that reads: Python notes a key pressed just before, and goes on waiting for a line.
    opt = arrived(tmp_path, WAITS)
    (data / "hold").touch()
    options = [*station, *shared(data), "--tty", "--interactive"]
    container = Container.create(engine, train_image, opt, options)
    with start_at(terminal, container) as client:
        terminal.wait_for(b"aboard")
        terminal.type(b"\x03")
        terminal.wait_for(b"result=stopped status=130")
    assert client.returncode == 130
    assert_taken_back(container, opt, tmp_path / "after")

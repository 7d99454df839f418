"""The benchmarks themselves, on sizes that take no time."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from entrypoint.limits import SMALL_FILE_BYTES
from tests import reference_route
from tests.adversarial.hostile_images.verdicts import PUBLISHED_CHECK
from tests.bench import images, in_container, sandbox, stops, tools
from tests.bench.__main__ import measure, on_this_disk
from tests.bench.generations import FLAT, GENERATIONS
from tests.bench.measure import (
    HALVES,
    REVERTED,
    Figure,
    Program,
    figures,
    least_in_turn,
    memory_of,
)
from tests.bench.on_disk import published_python
from tests.bench.page import comparison, page
from tests.bench.peers import plain_loop
from tests.bench.plan import (
    INSIDE,
    LOOP,
    NOTHING,
    OTHER,
    OURS,
    OUTSIDE,
    PUBLISHED,
    Bench,
    ImagePair,
    Plan,
    Row,
)
from tests.bench.primitives import HMAC_SHA_256, SHA_512, limit
from tests.bench.trains import MIB, Runner, Workload
from tests.containers.engine import Engine, Unavailable
from tests.containers.fixtures import or_skip
from tests.interop import environments

ONE = Workload("one", 1, SMALL_FILE_BYTES + 1)
MANY = Workload("many", 3, 1000)

PAIR = ImagePair("some bytes", 2 * MIB, files=100, rounds=1)

PLAN = Plan(
    beside=(ONE, MANY),
    alone=(),
    contained=(MANY,),
    stops=3,
    rounds=1,
    visits=1,
    starts=1,
    opened=3,
    primitive_bytes=1,
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    home = tmp_path / "home"
    home.mkdir()
    return Bench(PLAN, tmp_path, {OURS: Runner(home)})


@pytest.fixture(scope="module")
def published() -> None:
    for generation in GENERATIONS:
        or_skip(partial(environments.make, generation.published))


def test_every_task_is_measured_beside_the_other_programs(bench: Bench, published: None) -> None:
    on_this_disk(bench)
    halves = [row for row in bench.rows if row.size]
    assert [(row.train, row.task) for row in halves] == [
        (generation.name, f"{half}, {workload.name}")
        for generation in GENERATIONS
        for workload in PLAN.beside
        for half in HALVES
    ]
    for row in halves:
        installed = [name for name in tools.TOOLS if shutil.which(name.split()[0])]
        beside = installed if ONE.name in row.task else []
        measured = {name: figure for name, figure in row.figures.items() if figure}
        assert set(measured) == {OURS, PUBLISHED, LOOP, *beside}
        assert all(figure.seconds > 0 for figure in measured.values())
        assert all(measured[name].memory for name in (OURS, PUBLISHED, LOOP))
    assert [row.task for row in bench.rows if row.task.startswith(REVERTED)] == [
        f"{task}, {workload.name}"
        for _ in GENERATIONS
        for workload in PLAN.beside
        for task in REVERTED
    ]
    assert [set(row.figures) for row in bench.sandbox] == [{OUTSIDE, INSIDE}]
    assert all(
        figure and figure.seconds > 0 for row in bench.sandbox for figure in row.figures.values()
    )
    assert not bench.left_out


def test_the_validation_of_images_is_measured_beside_the_published_check(
    bench: Bench, published: None, tmp_path: Path
) -> None:
    images.add_validation(bench, PAIR)
    [row] = bench.images
    assert set(row.figures) == {OURS, images.SHA_256, PUBLISHED}
    assert all(figure and figure.seconds > 0 and figure.memory for figure in row.figures.values())
    assert not bench.left_out
    assert f"| {PAIR.name}, {PAIR.files} files |" in page(bench, {})


def test_a_generated_image_has_the_size_that_it_says_and_passes_the_published_check(
    published: None, tmp_path: Path
) -> None:
    master, train = images.make_pair(tmp_path, PAIR)
    assert sorted(tmp_path.iterdir()) == [master, train]
    assert PAIR.size < train.stat().st_size < 2 * PAIR.size
    python = environments.make(environments.ROUTE_VERSION)
    command = [str(python), "-I", str(PUBLISHED_CHECK), "--archives", str(master), str(train)]
    assert json.loads(subprocess.run(command, capture_output=True, check=True).stdout) == {
        str(train): ""
    }


def test_a_tool_that_is_missing_is_shown_as_not_installed(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_path(tmp_path / "programs", monkeypatch, "sha512sum")
    programs = tools.programs(tmp_path, ONE)
    assert [name for name, program in programs.items() if program] == [tools.SHA_512]
    shown = {OURS: Figure(1.0, MIB), tools.SHA_512: Figure(0.5), tools.AGE: None}
    bench.rows.append(Row("flat", "pre-run, one", "here", {**shown, tools.OPENSSL: None}, MIB))
    cells = "| flat | pre-run, one | 1.00 | not installed | not installed | 0.500 |"
    assert cells in page(bench, {}).splitlines()


def test_two_versions_of_this_program_are_measured_in_turn(bench: Bench, tmp_path: Path) -> None:
    home = tmp_path / "other"
    home.mkdir()
    bench.runners = {**bench.runners, OTHER: Runner(home)}
    bench.plan = replace(PLAN, beside=(), alone=(MANY,), rounds=2, opened=0)
    on_this_disk(bench)
    for row in bench.rows:
        assert set(row.figures) == {OURS, OTHER}
    assert len(bench.rows) == len(GENERATIONS) * (2 + len(HALVES) + len(REVERTED))
    assert not bench.left_out
    assert "other s | × other | other MiB |" in comparison(bench, {})


def test_empty_visits_in_containers_are_measured_beside_a_bare_one(
    bench: Bench, engine: Engine, runner_image: str, published: None
) -> None:
    image = in_container.measured_image(engine, runner_image)
    images = {OURS: image, OTHER: image}
    in_container.add_start(bench, engine, images, "an image", published=True)
    [row] = bench.starts
    assert set(row.figures) == {in_container.TRUE, OURS, OTHER, PUBLISHED}
    assert all(figure and figure.seconds > 0 for figure in row.figures.values())
    assert not bench.left_out


def test_whole_stops_are_measured_beside_their_container(
    bench: Bench, engine: Engine, runner_image: str
) -> None:
    image = in_container.measured_image(engine, runner_image)
    for workload in (NOTHING, MANY):
        stops.add_stop(bench, engine, {OURS: runner_image}, {OURS: image}, FLAT, workload)
    for row in bench.stops:
        assert set(row.figures) == {OURS, stops.CONTAINER, stops.VALIDATED}
        assert all(figure and figure.seconds > 0 for figure in row.figures.values())
    shown = page(bench, {})
    assert "| flat | nothing | " in shown
    assert "| flat | many | " in shown


def test_another_version_whose_image_cannot_be_built_is_unavailable(
    engine: Engine, base_image: str, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match=f"no image of {tmp_path}: .*No rule to make target"):
        in_container.make_other_master(engine, tmp_path, "buster", "bookworm")


def test_opened_files_are_measured_in_the_sandbox_and_outside(
    bench: Bench, engine: Engine, runner_image: str
) -> None:
    sandbox.add_opens(bench, engine, in_container.measured_image(engine, runner_image))
    [row] = bench.sandbox
    assert set(row.figures) == {OUTSIDE, INSIDE}
    assert all(figure and figure.seconds > 0 for figure in row.figures.values())


def test_the_same_tasks_are_measured_in_containers(
    bench: Bench, engine: Engine, runner_image: str, published: None
) -> None:
    image = in_container.measured_image(engine, runner_image)
    in_container.add_halves(bench, engine, image, FLAT, MANY)
    assert len(bench.rows) == len(HALVES)
    for row in bench.rows:
        assert row.place.endswith(", in a container")
        assert set(row.figures) == {OURS, PUBLISHED, LOOP}
        assert all(figure and figure.seconds > 0 for figure in row.figures.values())
    assert not bench.left_out


def test_the_table_shows_how_many_times_as_long_another_program_takes(bench: Bench) -> None:
    times = {OURS: Figure(2.0, MIB), PUBLISHED: Figure(9.0, 3 * MIB), LOOP: Figure(3.0, MIB)}
    bench.rows.append(Row("flat", "pre-run, one", "here", times, 8_000_000, limit_s=1.0))
    bench.starts.append(
        Row("flat", "", "an image", {in_container.TRUE: Figure(0.2), OURS: Figure(0.3)})
    )
    bench.sandbox.append(Row("flat", "opens", "", {OUTSIDE: Figure(1.0), INSIDE: Figure(1.0625)}))
    lines = page(bench, {}).splitlines()
    ours, others = "2.00 | 4 | 50% | 1", "9.00 | **4.50** | 3 | 3.00 | **1.50** | 1"
    assert f"| flat | pre-run, one | here | {ours} | {others} |" in lines
    assert "| an image | 0.200 | 0.300 | **1.50** |  |  |" in lines
    assert "| opens | 1,000.0 | 1,062.5 | **1.06** | 62.5 |" in lines
    assert "## For scale" not in lines
    assert "Runs of every program: 1 of each half, 1 of each whole visit, 1 of each" in lines


def test_what_a_machine_cannot_measure_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_path(tmp_path / "programs", monkeypatch, "sh")
    endless = replace(ONE, name="endless", size=1 << 60)
    written = measure(replace(PLAN, beside=(), alone=(endless,)), tmp_path)
    left_out = written.partition("## Left out\n")[2]
    assert "- endless: " in left_out
    assert "- everything in a container: no docker client" in left_out


def test_the_loop_makes_and_opens_the_tokens_of_cryptography(tmp_path: Path) -> None:
    key, session_id = Fernet.generate_key(), os.urandom(64)
    contents = [os.urandom(size) for size in (0, 1, 15, 16, 96 * 1024, 300_001)]
    paths = [tmp_path / str(number) for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    names = [str(path) for path in paths]
    result_hash = hashlib.sha512(b"".join(contents) + session_id).digest()
    assert plain_loop.seal_flat(names, key, session_id) == result_hash
    assert [Fernet(key).decrypt(path.read_bytes()) for path in paths] == contents
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(Fernet(key).encrypt(content))
    assert plain_loop.open_flat(names, key, session_id) == result_hash
    assert [path.read_bytes() for path in paths] == contents
    assert sorted(tmp_path.iterdir()) == paths


def test_the_loop_encrypts_and_decrypts_as_the_reference_does(tmp_path: Path) -> None:
    key, session_id, content = os.urandom(32), os.urandom(64), os.urandom(300_001)
    path = tmp_path / "file"
    path.write_bytes(content)
    result_hash = hashlib.sha512(content + session_id).digest()
    assert plain_loop.seal_route([str(path)], key, session_id) == result_hash
    assert reference_route.decrypt(key, path.read_bytes()) == content
    path.write_bytes(reference_route.encrypt(key, content))
    assert plain_loop.open_route([str(path)], key, session_id) == result_hash
    assert path.read_bytes() == content


def test_the_loop_notices_a_forged_token(tmp_path: Path) -> None:
    path = tmp_path / "forged"
    path.write_bytes(Fernet(Fernet.generate_key()).encrypt(bytes(1000)))
    with pytest.raises(ValueError, match="not authentic"):
        plain_loop.open_flat([str(path)], Fernet.generate_key(), bytes(64))


def test_a_program_may_print_any_amount_while_its_memory_is_measured() -> None:
    code = "import sys; print('x' * 1_000_000); sys.stderr.write('x' * 1_000_000)"
    assert memory_of([sys.executable, "-I", "-c", code]) > 0


def test_memory_is_that_of_all_processes() -> None:
    size = 64 * MIB
    child = f"import time; held = bytes(range(256)) * ({size} // 256); time.sleep(0.2)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert size < memory_of([sys.executable, "-c", parent]) < 2 * size


def test_the_limit_is_half_the_work_but_never_less_than_its_serial_part() -> None:
    assert limit([(SHA_512, 1.0), (HMAC_SHA_256, 3.0)]) == 2.0
    assert limit([(SHA_512, 3.0), (HMAC_SHA_256, 1.0)]) == 3.0


def test_programs_run_in_turn_and_the_least_time_of_each_counts() -> None:
    order = []

    def run(name: str, *seconds: float) -> Callable[[], dict[str, float]]:
        left = iter(seconds)

        def once() -> dict[str, float]:
            order.append(name)
            return {"task": next(left)}

        return once

    least = least_in_turn({"a": run("a", 3, 1, 2), "b": run("b", 4, 6, 5)}, 3)
    assert order == ["a", "b"] * 3
    assert least == {"a": {"task": 1}, "b": {"task": 4}}


def test_every_program_is_run_for_memory_before_it_is_timed(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    code = f"import sys; open({str(runs)!r}, 'a').write(sys.argv[1])"

    def program(name: str) -> Program:
        return Program(lambda task: [sys.executable, "-c", code, name + task], tasks="12")

    found = figures({"a": program("a"), "b": program("b")}, 2)
    assert runs.read_text() == "a1a2b1b2" * 3
    assert all(found[name][task].memory for name in "ab" for task in "12")


def test_a_tool_decrypts_what_it_has_encrypted(tmp_path: Path) -> None:
    for name, program in tools.programs(tmp_path, ONE).items():
        if program and name != tools.SHA_512:
            assert program.data
            before = (program.data / tools.PLAIN).read_bytes()
            program.run()
            assert (program.data / tools.PLAIN).read_bytes() == before
            assert before not in (program.data / tools.SEALED).read_bytes()


def test_the_published_package_is_left_out_where_memory_is_short() -> None:
    with pytest.raises(Unavailable, match="bytes of memory"):
        published_python(FLAT, replace(ONE, size=1 << 60))


def only_path(folder: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Make a program the only one on the PATH."""
    found = shutil.which(program)
    assert found
    folder.mkdir()
    (folder / program).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))

"""The benchmarks themselves, on sizes that take no time: they measure what they say."""

import hashlib
import os
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from entrypoint.limits import SMALL_FILE_BYTES
from tests import reference_route
from tests.bench import in_container
from tests.bench.__main__ import measure, on_this_disk
from tests.bench.generations import FLAT, GENERATIONS
from tests.bench.measure import HALVES, Figure, Program, memory_of
from tests.bench.on_disk import published_python
from tests.bench.page import HEADER, page
from tests.bench.peers import plain_loop
from tests.bench.plan import Bench, Plan
from tests.bench.primitives import HMAC_SHA_256, SHA_512, limit
from tests.bench.trains import MIB, Runner, Workload
from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.interop import environments

ONE = Workload("one", 1, SMALL_FILE_BYTES + 1)
MANY = Workload("many", 3, 1000)

PLAN = Plan(
    beside=(ONE, MANY),
    alone=(),
    contained=(MANY,),
    stops=3,
    rounds=1,
    short_rounds=1,
    starts=1,
    primitive_bytes=1,
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    home = tmp_path / "home"
    home.mkdir()
    return Bench(PLAN, tmp_path, Runner(home))


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
        figures = [row.ours, row.published, row.loop]
        assert all(figure and figure.seconds and figure.memory for figure in figures)
    assert not bench.left_out
    trains = tuple(f"| {generation.name} " for generation in GENERATIONS)
    lines = [line for line in page(bench, {}).splitlines() if line.startswith(trains)]
    assert len(lines) == len(bench.rows) - 1
    assert {line.count("|") for line in lines} == {len(HEADER) + 1}


def test_the_start_of_a_container_is_measured_beside_a_bare_one(
    bench: Bench, engine: Engine, runner_image: str
) -> None:
    image = in_container.train_image(engine, runner_image)
    in_container.add_start(bench, engine, image, "an image")
    bare, visit = bench.rows
    assert bare.ours.seconds > 0
    ratio = visit.ours.seconds / bare.ours.seconds
    assert visit.task == f"an empty visit, `docker run`: {ratio:.2f} × `true`"


def test_the_same_tasks_are_measured_in_containers(
    bench: Bench, engine: Engine, runner_image: str, published: None
) -> None:
    image = in_container.train_image(engine, runner_image)
    in_container.add_halves(bench, engine, image, FLAT, MANY)
    assert len(bench.rows) == len(HALVES)
    for row in bench.rows:
        assert row.place.endswith(", in a container")
        figures = [row.ours, row.published, row.loop]
        assert all(figure and figure.seconds > 0 for figure in figures)
    assert not bench.left_out


def test_what_a_machine_cannot_measure_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = shutil.which("sh")
    assert shell
    (tmp_path / "sh").symlink_to(shell)
    monkeypatch.setenv("PATH", str(tmp_path))
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


def test_the_least_time_counts_and_the_least_limit(bench: Bench) -> None:
    ours = {half: Figure(2.0) for half in HALVES}
    limits = [dict.fromkeys(HALVES, seconds) for seconds in (0.3, 0.1, 0.2)]
    bench.add_halves(FLAT, Workload("ten bytes", 1, 10), "here", ours, {}, {}, limits)
    assert [row.limit_s for row in bench.rows] == [1.0, 1.0]


def test_what_disturbs_one_of_two_rounds_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    code = f"""
import pathlib, time
runs = pathlib.Path({str(tmp_path / "runs")!r})
runs.open("a").write("x")
time.sleep(2 if len(runs.read_text()) > 4 else 0)
"""
    program = Program(tmp_path / "results", lambda half: [sys.executable, "-c", code])
    figures = program.figures(2)  # two runs for memory and two rounds of two halves
    assert len((tmp_path / "runs").read_text()) == 6
    assert max(figure.seconds for figure in figures.values()) < 1


def test_the_published_package_is_left_out_where_memory_is_short() -> None:
    with pytest.raises(Exception, match="bytes of memory"):
        published_python(FLAT, replace(ONE, size=1 << 60))

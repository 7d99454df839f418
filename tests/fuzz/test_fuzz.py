"""The fuzz target: it finds nothing, it can find something, and Docker reads what we read."""

import importlib.util
import io
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from random import Random

import pytest

from tests.adversarial.hostile_images.all_cases import CASES
from tests.adversarial.hostile_images.images import TRAIN, Image, docker_archive
from tests.adversarial.hostile_images.verdicts import loaded
from tests.archives import tar
from tests.containers.engine import Engine
from tests.fuzz.inputs import inputs, unusual_entries
from tests.fuzz.oracle import accepts, check, ours, pythons
from tests.station import REPOSITORY

RUNS = 6000
LAYERS = 40

READ_DIFFERENTLY = ("pax-for-all", "prefix-of-gnu", "gnu-sparse-name")
"""Hostile images with a layer that Python reads in another way."""


def test_the_inputs_to_begin_with_reach_both_verdicts() -> None:
    begins = [data for case in CASES for data in inputs(case).values()]
    assert {check(data) for data in begins} == {True, False}


@pytest.mark.slow
def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not for this machine")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.images", f"-runs={RUNS}", "-seed=1", tmp_path / "new"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    covered = re.findall(r"cov: (\d+)", done.stderr)
    assert int(covered[-1]) > int(covered[0])


@pytest.mark.parametrize("name", READ_DIFFERENTLY)
def test_another_reading_of_names_is_noticed(name: str) -> None:
    [case] = [case for case in CASES if case.name == name]
    assert isinstance(case.hostile, Image)
    layer = case.hostile.layers[-1]
    assert ours(layer) != pythons(layer)


def test_docker_writes_what_we_read(engine: Engine) -> None:
    random = Random(17)
    layers = [
        tar(*unusual_entries(random, f"opt/pht_results/{number}")) for number in range(LAYERS)
    ]
    archive = docker_archive(Image((*TRAIN.layers, *layers)))
    assert accepts(archive)
    with loaded(engine, [archive]) as [image]:
        found = paths(engine.must("export", engine.create(image)))
    expected = {name: kind for layer in layers for name, kind, _, _ in ours(layer)}
    assert len(expected) > 2 * LAYERS
    below = b"opt/pht_results/"
    links = {name for name, kind in expected.items() if kind == tarfile.LNKTYPE}
    assert links
    for name in links:  # which of two names is the link, the engine chooses
        expected[name] = tarfile.REGTYPE
    assert {name: kind for name, kind in found.items() if name.startswith(below)} == expected


def paths(archive: bytes) -> dict[bytes, bytes]:
    """Return the paths in an export of Docker, with their kinds; a hard link counts as a file."""
    with tarfile.open(fileobj=io.BytesIO(archive), encoding="utf-8") as opened:
        return {
            one.name.encode("utf-8", "surrogateescape"): (
                tarfile.REGTYPE if one.islnk() else one.type
            )
            for one in opened
        }

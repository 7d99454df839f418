"""Fixtures of visits: a train of the vectors, and mounts."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import reference
from tests.station import settle

Mount = Callable[..., Path]


@pytest.fixture
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A train of the vectors that is about to make its third stop.

    It is flat, unless the module of the test names a WIRE.
    """
    getattr(request.module, "WIRE", reference).lay_out(2, tmp_path)
    settle(tmp_path, "station_3")
    return tmp_path


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Mounts like the command of this name; what it has mounted is unmounted after the test."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount")
    points: list[Path] = []

    def at(point: Path, *arguments: str | Path) -> Path:
        subprocess.run(["mount", *arguments, point], check=True)
        points.append(point)
        return point

    yield at
    for point in reversed(points):
        subprocess.run(["umount", "--lazy", point], check=True)

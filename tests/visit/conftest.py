"""Fixtures that need what only root may have."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Mount = Callable[..., Path]


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

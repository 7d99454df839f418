"""Fixtures that tests of several modules share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoint.model import Paths
from tests.unfinished import make_train


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A folder with one of everything."""
    folder = tmp_path / "full"
    (folder / "a" / "empty").mkdir(parents=True)
    (folder / "a" / "file").write_bytes(os.urandom(3_000_000))
    (folder / "a" / "again").hardlink_to(folder / "a" / "file")
    (folder / "none").touch()
    (folder / "ü 🚂 \n").write_bytes(b"x")
    (folder / os.fsdecode(b"\xff\xfe")).write_bytes(b"undecodable")
    (folder / ("long" * 50)).mkdir()
    (folder / ("long" * 50) / ("name" * 50)).write_bytes(b"y")
    (folder / "link").symlink_to("a/file")
    (folder / "dangling").symlink_to("nowhere/" * 30)
    (folder / "a" / "file").chmod(0o4751)
    (folder / "a" / "empty").chmod(0o1711)
    (folder / "a").chmod(0o555)
    folder.chmod(0o750)
    if os.geteuid() == 0:
        for path in ("link", "none", "a"):
            os.chown(folder / path, 1000, 1001, follow_symlinks=False)
    return folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of temporary files, which has to be empty again when the test ends."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A train that has made a stop."""
    return make_train(tmp_path)

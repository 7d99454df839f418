"""Fixtures of the tests of `decrypt-results`."""

from pathlib import Path

import pytest

from tests import reference


@pytest.fixture
def opt(tmp_path: Path) -> Path:
    """A train of the vectors after its second stop."""
    return reference.lay_out(2, tmp_path / "root")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "results"

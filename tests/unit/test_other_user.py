"""The helper that runs a block as another user."""

import os
from pathlib import Path

import pytest

from tests.other_user import REPOSITORY, unprivileged


def test_the_other_user_may_not_read_this_clone(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to be another user")
    readme = REPOSITORY / "README.md"
    with unprivileged(tmp_path), pytest.raises(PermissionError):
        readme.read_bytes()
    assert readme.read_bytes()

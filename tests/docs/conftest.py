"""Fixtures of the tests of the pages."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Return a folder with a `pht` command, as `pip install .` makes one."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    command = bin_ / "pht"
    command.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from entrypoint.cli.main import main\nsys.exit(main())\n"
    )
    command.chmod(0o755)
    (tmp_path / "desk").mkdir()
    return tmp_path

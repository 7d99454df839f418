"""The switch of the continuous integration that turns every skip into a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REQUIRE_ALL

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
WAYS_TO_SKIP = {
    "in_the_test": 'def test_it():\n    pytest.skip("no engine")\n',
    "by_a_mark": '@pytest.mark.skip("no engine")\ndef test_it(): ...\n',
    "by_a_fixture": (
        '@pytest.fixture\ndef engine():\n    pytest.skip("no engine")\n\ndef test_it(engine): ...\n'
    ),
    "as_a_module": 'pytest.skip("no engine", allow_module_level=True)\n',
}


@pytest.mark.parametrize(
    ("required", "status", "summary"),
    [("0", 0, "4 skipped"), ("1", 1, "1 failed, 3 errors")],
    ids=["on a laptop", "in continuous integration"],
)
def test_skips_fail_where_everything_is_required(
    required: str, status: int, summary: str, tmp_path: Path
) -> None:
    for name, source in WAYS_TO_SKIP.items():
        (tmp_path / f"test_{name}.py").write_text(f"import pytest\n\n{source}")
    options = ["-p", "tests.conftest", "-ra", "--continue-on-collection-errors"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, tmp_path],
        cwd=REPOSITORY,
        env={**os.environ, REQUIRE_ALL: required},
        capture_output=True,
        text=True,
        check=False,
    )
    assert summary in done.stdout
    assert "no engine" in done.stdout
    assert done.returncode == status

"""Measures which lines of the program the tests reach, for `make coverage`.

Most tests run the program as a process of its own, with an environment that has nothing of the
tester's. So a `.pth` file has coverage.py started wherever this environment's Python starts the
program. Trains are not measured, nor is what runs in containers.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import coverage

REPOSITORY = Path(__file__).parents[1]
FOLDER = REPOSITORY / "build" / "coverage"
HOOK = Path(sysconfig.get_path("purelib"), "measure_the_program.pth")
TESTS = "PHT_TEST_COVERAGE"
"""The variable by which the tests' own processes are measured too."""

START = (
    f"import os, sys; ('entrypoint' in sys.orig_argv or {TESTS!r} in os.environ) and "
    f"__import__('coverage').Coverage({str(FOLDER / 'data')!r}, data_suffix=True, "
    f"auto_data=True, config_file={str(REPOSITORY / 'pyproject.toml')!r}, "
    f"source=[{str(REPOSITORY / 'entrypoint')!r}]).start()\n"
)


def main() -> int:
    """Run the tests that the arguments select, all without any, and print the lines not reached."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    FOLDER.chmod(0o777)  # some tests run the program as another user
    HOOK.write_text(START)
    try:
        tests = [sys.executable, "-m", "pytest", "-n", "auto", *sys.argv[1:]]
        status = subprocess.run(tests, cwd=REPOSITORY, env={**os.environ, TESTS: "1"}).returncode
    finally:
        HOOK.unlink(missing_ok=True)
    _report()
    return status


def _report() -> None:
    measured = coverage.Coverage(
        str(FOLDER / "all"), config_file=str(REPOSITORY / "pyproject.toml"), messages=True
    )
    measured.combine([str(path) for path in FOLDER.glob("data.*")])
    measured.save()
    measured.report(show_missing=True, skip_covered=True)
    measured.html_report(directory=str(FOLDER / "html"))


if __name__ == "__main__":
    sys.exit(main())

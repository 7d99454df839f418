"""Which tests `make test` and its variants run, without running them."""

import os
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def dry_run(*words: str) -> list[list[str]]:
    """Return the commands of a target."""
    ready = "--assume-old=.venv/tests/ready"
    done = subprocess.run(
        ["make", "--dry-run", ready, *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},  # the tests may run in a make of their own
        capture_output=True,
        text=True,
        check=True,
    )
    return [shlex.split(line) for line in done.stdout.splitlines()]


def test_make_test_runs_everything() -> None:
    *style, tests = dry_run("test")
    assert style
    assert tests[1:] == ["-m", "pytest", "-n", "auto"]


def test_make_test_runs_only_what_it_is_told() -> None:
    [tests] = dry_run("test", "T=tests/unit/test_tree.py -k 'a or b'")
    assert tests[-3:] == ["tests/unit/test_tree.py", "-k", "a or b"]


def test_the_fast_tests_need_no_container_and_exist() -> None:
    [tests] = dry_run("test-fast")
    options = ["-m", "pytest", "-n", "auto", "-m", "not container and not slow"]
    assert tests[1:7] == options
    assert all((ROOT / folder).is_dir() for folder in tests[7:])
    assert tests[7:]


def test_coverage_can_be_told_which_tests_too() -> None:
    [tests] = dry_run("coverage", "T=tests/visit")
    assert tests[1:] == ["-m", "tests.covered", "tests/visit"]

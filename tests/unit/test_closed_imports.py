"""Nothing is imported once the import system is closed, and a process ends as before."""

import subprocess
import sys

import pytest

from tests.station import REPOSITORY

PROGRAM = """
import json, os, signal, sys
import entrypoint.cli.main
from entrypoint.errors import SystemFailure, unexpected
from entrypoint.process.closed_imports import close_imports
from entrypoint.report import Outcome, Report, discard_unwritten
close_imports()
"""
ENDS = {
    "an import": ("import colorsys", 1, "ModuleNotFoundError"),
    "a module of a package": ("import encodings.cp500", 1, "ModuleNotFoundError"),
    "a module imported before": ("import json; json.dumps({'ü': [1.5, None]})", 0, ""),
    "an uncaught error": ("{}['ü \\udcff']", 1, "KeyError: 'ü"),
    "an error during another": (
        "try: 1 / 0\nexcept ZeroDivisionError as e: raise OSError(2, 'x') from e",
        1,
        "direct cause",
    ),
    "an exit": ("sys.exit(7)", 7, ""),
    "an exit with a text": ("sys.exit('gone ü')", 1, "gone ü"),
    "an exit after the output is closed": ("sys.stdout.close(); sys.exit(7)", 7, ""),
    "a signal": ("os.kill(os.getpid(), signal.SIGTERM)", -15, ""),
    "a handled signal": (
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); signal.raise_signal(15)",
        9,
        "",
    ),
    "an interrupt": ("signal.raise_signal(signal.SIGINT)", -2, "KeyboardInterrupt"),
    "a fork": ("sys.exit(os.wait()[1] if os.fork() else 0)", 0, ""),
    "a line of the log": (
        "Report(as_json=True).status(Outcome(result='a ü', status=0), {}); discard_unwritten()",
        0,
        '"result"',
    ),
    "a bug": ("Report().error(unexpected(ValueError('x'))); discard_unwritten()", 0, "[bug]"),
}


@pytest.mark.parametrize(("source", "status", "said"), ENDS.values(), ids=ENDS.keys())
def test_the_end_of_a_process_needs_no_import(source: str, status: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", PROGRAM + source],
        cwd=REPOSITORY,
        env={"LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    if said != "ModuleNotFoundError":
        assert "ModuleNotFoundError" not in done.stderr

"""Runs Python in a mount namespace of its own, so that a test can mount what it likes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def run_python(code: str, folder: Path) -> str:
    """Run `code` as root of a new mount namespace with `folder` as argument; return its output.

    Skips the test where no such namespace can be had.
    """
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("needs the unshare command")
    command = [unshare, "--mount"] if os.geteuid() == 0 else [unshare, "--mount", "--map-root-user"]
    if subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        pytest.skip("needs to be root, or to be allowed user namespaces")
    done = subprocess.run(
        [*command, sys.executable, "-c", code, str(folder)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout

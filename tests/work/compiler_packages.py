"""The packages of numba for the Python of a master image, which has none of them."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from master_images.wheels import GLIBC
from tests.containers.engine import Unavailable
from tests.station import REPOSITORY

LOCK = Path(__file__).with_name("numba.txt")
FOLDER = REPOSITORY / ".venv" / "numba"
PYTHON = "3.13.0"


def make() -> Path:
    """Return a folder with the packages, filled anew if their lock has changed.

    Raises:
        Unavailable: PyPI cannot be reached.
    """
    content = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    ready = FOLDER.with_suffix(".ready")
    FOLDER.parent.mkdir(exist_ok=True)
    with FOLDER.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # several workers may want them
        if not ready.exists() or ready.read_text() != content:
            shutil.rmtree(FOLDER, ignore_errors=True)
            _install()
            ready.write_text(content)
    return FOLDER


def _install() -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    options += ["--require-hashes", "--no-compile", "--python-version", PYTHON]
    for tag in GLIBC:
        options += ["--platform", f"{tag}_{os.uname().machine}"]
    options += ["--target", str(FOLDER), "--requirement", str(LOCK)]
    command = [sys.executable, "-m", "pip", "install", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"no packages of numba: {done.stderr.strip()[-500:]}")

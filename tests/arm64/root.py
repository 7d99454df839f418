"""A Debian for arm64 with the program in it as in an image, made without executing any of it.

The bytecode is written by the Python of the tests, because an emulated one would take minutes: so
the Debian is one whose Python has the same version.
"""

import os
import shutil
import sys
from pathlib import Path

from master_images.wheels import GLIBC
from tests.containers.bases import debian_mirror
from tests.containers.engine import Unavailable
from tests.containers.images import HOME
from tests.kept import install, keep
from tests.station import REPOSITORY

SUITES = {11: "bookworm", 13: "trixie"}
PACKAGES = ("base-files", "base-passwd", "coreutils", "dash", "python3")
LOCK = REPOSITORY / "entrypoint" / "requirements.txt"
ACCOUNTS = (
    'cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"',
    'cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"',
)
"""Write the accounts that base-passwd writes when installed, by a program for arm64."""


def suite() -> str:
    """Return the Debian with the Python that runs the tests; may raise Unavailable."""
    minor = sys.version_info.minor
    if minor not in SUITES:
        raise Unavailable(f"no Debian has Python 3.{minor}, which compiles for an emulated one")
    return SUITES[minor]


def make(root: Path) -> None:
    """Lay out the Debian and the program in the folder `root`, which does not exist.

    Raises:
        Unavailable: this machine has no mmdebstrap, or no network.
    """
    if shutil.which("mmdebstrap") is None:
        raise Unavailable("no mmdebstrap to make a Debian for arm64 with")
    made_of = [suite().encode(), Path(__file__).read_bytes(), LOCK.read_bytes()]
    install("cp", "-a", keep("arm64", made_of, _fill) / "root", root)
    home = root / HOME.lstrip("/")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "entrypoint", home / "entrypoint", ignore=ignored)
    (home / "python").symlink_to("/usr/bin/python3")
    _compile(root, home / "entrypoint")


def _fill(folder: Path) -> None:
    root = folder / "root"
    folder.mkdir()
    command = ["mmdebstrap", "--arch=arm64", "--variant=extract", "--format=directory"]
    command += [f"--include={','.join(PACKAGES)}", *(f"--extract-hook={hook}" for hook in ACCOUNTS)]
    install(*command, suite(), root, f"deb {debian_mirror()} {suite()} main")
    shutil.rmtree(root / "dev")  # so that nobody copies a device
    (root / "dev").mkdir()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-compile"]
    pip += [f"--platform={tag}_aarch64" for tag in GLIBC]
    install(*pip, "--target", root / HOME.lstrip("/") / "site", "--requirement", LOCK)
    _compile(root, root / HOME.lstrip("/") / "site")
    _compile(root, *(root / "usr/lib").glob("python3.*"))


def _compile(root: Path, *folders: Path) -> None:
    options = ["-q", "--invalidation-mode", "unchecked-hash"]
    options += ["-s", str(root), "-p", "/", "-j", str(os.cpu_count())]
    install(sys.executable, "-m", "compileall", *options, *folders)

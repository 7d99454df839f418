"""Fetches the locked wheels of one set of packages, for building master images without network.

`wheels.py SET` reads the locks of the runner, of pip and of `packages/SET.txt`, and puts the wheels
of this machine's kind of processor into `build/wheels/SET`.
"""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
RUNNER = [ROOT / "entrypoint" / "requirements.txt", HERE / "pip.txt"]

MACHINE = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
GLIBC = [f"manylinux_2_{minor}_{MACHINE}" for minor in range(28, 16, -1)]
GLIBC.append(f"manylinux2014_{MACHINE}")  # pip then also accepts manylinux2010 and manylinux1
MUSL = [f"musllinux_1_{minor}_{MACHINE}" for minor in (2, 1)]
"""The platform tags that are accepted: up to glibc 2.28, that of Debian 10, and musl 1.2."""

ANY_PYTHON = ("3.11.0", "3.12.0", "3.13.0", "3.14.0")
TARGETS = {
    "plain": [(version, libc) for version in ANY_PYTHON for libc in (GLIBC, MUSL)],
    "slim-science": [("3.13.0", MUSL)],
    "buster-science": [("3.13.0", GLIBC)],
    "dl": [("3.13.0", GLIBC)],
    "dl-science": [("3.13.0", GLIBC)],
}
"""The Pythons and C libraries that a set is locked for."""


def main() -> None:
    """Fetch one set, and remove what was fetched before."""
    [name] = sys.argv[1:]
    folder = ROOT / "build" / "wheels" / name
    shutil.rmtree(folder, ignore_errors=True)
    for version, platforms in TARGETS[name]:
        download(RUNNER, folder, version, platforms)
        if name != "plain":
            # Apart, because the packages of a train may need other versions than the runner.
            download([HERE / "packages" / f"{name}.txt"], folder, version, platforms)


def download(locks: list[Path], folder: Path, version: str, platforms: list[str]) -> None:
    """Put the locked wheels for one Python version and some platforms into a folder."""
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    options += ["--require-hashes", "--dest", str(folder), "--python-version", version]
    for name in platforms:
        options += ["--platform", name]
    for lock in locks:
        options += ["--requirement", str(lock)]
    pip = subprocess.run([sys.executable, "-m", "pip", "download", *options], check=False)
    if pip.returncode != 0:
        sys.exit(pip.returncode)  # pip has named the package


if __name__ == "__main__":
    main()

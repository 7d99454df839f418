"""Fetches the locked wheels of one set of packages, for building master images without network.

`wheels.py SET PLATFORM` reads the locks of the runner, of pip and of `packages/SET.txt`, and puts
the wheels for a platform, such as `linux/arm64`, into a folder of its own below `build/wheels/SET`.
"""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
RUNNER = [ROOT / "entrypoint" / "requirements.txt", HERE / "pip.txt"]

MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""The platforms that the sets are locked for, and the names of their processors in wheels."""

GLIBC = [*(f"manylinux_2_{minor}" for minor in range(28, 16, -1)), "manylinux2014"]
MUSL = ["musllinux_1_2", "musllinux_1_1"]
"""The tags that are accepted: up to glibc 2.28, that of Debian 10, and musl 1.2. For x86-64 pip
takes manylinux2014 as manylinux2010 and manylinux1, too."""

ANY_PYTHON = ("3.11.0", "3.12.0", "3.13.0", "3.14.0")
TARGETS = {
    "plain": [(version, libc) for version in ANY_PYTHON for libc in (GLIBC, MUSL)],
    "slim-science": [("3.13.0", MUSL)],
    "buster-science": [("3.13.0", GLIBC)],
    "dl": [("3.13.0", GLIBC)],
    "dl-science": [("3.13.0", GLIBC)],
}
"""The Pythons and C libraries that a set is locked for."""

NO_CUDA = "on PyPI the wheels of TensorFlow and PyTorch for arm64 have no CUDA"
ONLY_AMD64 = {
    "slim-science": "matplotlib has no wheel for musl on arm64; take buster-science",
    "dl": NO_CUDA,
    "dl-science": NO_CUDA,
}
"""The sets that arm64 lacks, and why."""


def main() -> None:
    """Fetch one set for one platform, and remove what was fetched for it before."""
    name, platform = sys.argv[1:]
    if platform not in MACHINES:
        sys.exit(f"PLATFORM={platform}: there are wheels for {' and '.join(MACHINES)} only")
    if name in ONLY_AMD64 and platform != "linux/amd64":
        sys.exit(f"{name} is for linux/amd64 only: {ONLY_AMD64[name]}")
    folder = ROOT / "build" / "wheels" / name / platform.removeprefix("linux/")
    shutil.rmtree(folder, ignore_errors=True)
    for version, libc in TARGETS[name]:
        tags = [f"{tag}_{MACHINES[platform]}" for tag in libc]
        download(RUNNER, folder, version, tags)
        if name != "plain":
            # Apart, because the packages of a train may need other versions than the runner.
            download([HERE / "packages" / f"{name}.txt"], folder, version, tags)


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

"""Which wheels are fetched for master images."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from master_images.wheels import GLIBC, MACHINE, MUSL
from tests.station import REPOSITORY

NAMES = ["manylinux_2_28", "manylinux_2_17", "manylinux2014"]
if MACHINE == "x86_64":
    NAMES += ["manylinux2010", "manylinux1"]  # other processors came later

DOWNLOADS = """
import sys
from pathlib import Path
from master_images.wheels import download
folder, *platforms = sys.argv[1:]
download([Path(folder, "lock.txt")], Path(folder, "fetched"), "3.13.0", platforms)
"""


def offer(folder: Path, platform: str) -> str:
    """Put a wheel for a platform, and a lock that asks for it, into a folder; return its name."""
    wheel = folder / f"old-1-py3-none-{platform}_{MACHINE}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            "old-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: old\nVersion: 1\n"
        )
        archive.writestr("old-1.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "lock.txt").write_text(f"old==1 --hash=sha256:{digest}\n")
    return wheel.name


def fetch(folder: Path, platforms: list[str]) -> "subprocess.CompletedProcess[str]":
    """Fetch the locked wheels from that folder, as `make wheels` does from the index."""
    index = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", DOWNLOADS, str(folder), *platforms],
        cwd=REPOSITORY,
        env=index,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_for_an_older_glibc_is_fetched_by_any_of_its_names(
    name: str, tmp_path: Path
) -> None:
    wheel = offer(tmp_path, name)
    assert fetch(tmp_path, GLIBC).returncode == 0
    assert [file.name for file in (tmp_path / "fetched").iterdir()] == [wheel]


def test_a_package_without_a_wheel_for_the_platform_is_named(tmp_path: Path) -> None:
    offer(tmp_path, "manylinux2014")
    refused = fetch(tmp_path, MUSL)
    assert refused.returncode == 1
    assert "No matching distribution found for old==1" in refused.stderr
    assert "Traceback" not in refused.stderr

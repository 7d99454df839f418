"""Which wheels are fetched for master images."""

import hashlib
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from master_images.wheels import GLIBC, MUSL
from tests.containers.engine import Unavailable
from tests.containers.fixtures import or_skip
from tests.containers.images import make
from tests.station import REPOSITORY

OF_BOTH = ["manylinux_2_28", "manylinux_2_17", "manylinux2014"]
NAMES = [(name, machine) for name in OF_BOTH for machine in ("x86_64", "aarch64")]
NAMES += [("manylinux2010", "x86_64"), ("manylinux1", "x86_64")]  # other processors came later

DOWNLOADS = """
import sys
from pathlib import Path
from master_images.wheels import download
folder, *platforms = sys.argv[1:]
download([Path(folder, "lock.txt")], Path(folder, "fetched"), "3.13.0", platforms)
"""


def offer(folder: Path, tag: str, machine: str) -> str:
    """Put a wheel for a machine, and a lock that asks for it, into a folder; return its name."""
    wheel = folder / f"old-1-py3-none-{tag}_{machine}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            "old-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: old\nVersion: 1\n"
        )
        archive.writestr("old-1.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "lock.txt").write_text(f"old==1 --hash=sha256:{digest}\n")
    return wheel.name


def fetch(folder: Path, tags: list[str], machine: str) -> "subprocess.CompletedProcess[str]":
    """Fetch the locked wheels from that folder, as `make wheels` does from the index."""
    platforms = [f"{tag}_{machine}" for tag in tags]
    index = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", DOWNLOADS, str(folder), *platforms],
        cwd=REPOSITORY,
        env=index,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("name", "machine"), NAMES, ids=map("-".join, NAMES))
def test_a_wheel_for_an_older_glibc_is_fetched_by_any_of_its_names(
    name: str, machine: str, tmp_path: Path
) -> None:
    wheel = offer(tmp_path, name, machine)
    assert fetch(tmp_path, GLIBC, machine).returncode == 0
    assert [file.name for file in (tmp_path / "fetched").iterdir()] == [wheel]


@pytest.mark.parametrize(
    ("tags", "machine"), [(MUSL, "x86_64"), (GLIBC, "aarch64")], ids=["libc", "processor"]
)
def test_a_package_without_a_wheel_for_the_platform_is_named(
    tags: list[str], machine: str, tmp_path: Path
) -> None:
    offer(tmp_path, "manylinux2014", "x86_64")
    refused = fetch(tmp_path, tags, machine)
    assert refused.returncode == 1
    assert "No matching distribution found for old==1" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("name", "platform", "problem"),
    [
        ("plain", "linux/riscv64", "PLATFORM=linux/riscv64: there are wheels for linux/amd64 and "),
        ("plain", "linux/arm64/v8", "PLATFORM=linux/arm64/v8: there are wheels for linux/amd64 "),
        ("slim-science", "linux/arm64", "slim-science is for linux/amd64 only: matplotlib has no "),
        ("dl", "linux/arm64", "dl is for linux/amd64 only: on PyPI the wheels of TensorFlow and "),
        ("dl-science", "linux/arm64", "dl-science is for linux/amd64 only: on PyPI the wheels of "),
    ],
)
def test_what_there_are_no_wheels_for_is_said_before_anything_is_fetched(
    name: str, platform: str, problem: str
) -> None:
    script = REPOSITORY / "master_images" / "wheels.py"
    refused = subprocess.run(
        [sys.executable, script, name, platform], capture_output=True, text=True, check=False
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(problem)
    assert len(refused.stderr.splitlines()) == 1


def test_the_wheels_of_another_platform_are_locked_too_and_have_a_folder_of_their_own() -> None:
    machine = {"x86_64": "aarch64", "aarch64": "x86_64"}[os.uname().machine]
    name, elf_machine = {"x86_64": ("amd64", 62), "aarch64": ("arm64", 183)}[machine]
    or_skip(lambda: fetched(PLATFORM=f"linux/{name}"))
    folder = REPOSITORY / "build" / "wheels" / "plain" / name
    tags = {"-".join(wheel.stem.split("-")[2:]) for wheel in folder.glob("c*.whl")}
    assert {tag.rpartition("_")[2] for tag in tags} == {machine.rpartition("_")[2]}
    for libc in ("manylinux", "musllinux"):
        [wheel] = folder.glob(f"cryptography-*-{libc}_*.whl")
        with zipfile.ZipFile(wheel) as archive:
            header = archive.read("cryptography/hazmat/bindings/_rust.abi3.so")[:20]
        assert struct.unpack("<18xH", header) == (elf_machine,)
        for minor in (11, 12, 13, 14):
            assert len(list(folder.glob(f"cffi-*-cp3{minor}-cp3{minor}-{libc}*.whl"))) == 1


def fetched(**variables: str) -> None:
    """Fetch wheels; raise Unavailable where there is no network."""
    done = make("wheels", **variables)
    if done.returncode != 0:
        raise Unavailable(f"make wheels failed: {done.stderr.strip()[-500:]}")

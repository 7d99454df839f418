"""Common tools that encrypt or hash a file, measured for scale."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.bench.measure import POST_RUN, PRE_RUN, Command, Program, timed
from tests.bench.trains import Workload

AGE, OPENSSL, SHA_512 = TOOLS = ("age", "openssl enc", "sha512sum")

PLAIN, SEALED = "plain", "sealed"


def programs(folder: Path, workload: Workload) -> dict[str, Program | None]:
    """Return the tools, each with a file of its own to work on; None if one is not installed.

    Args:
        folder: an empty one.
        workload: has one file.
    """
    made: dict[str, Program | None] = {}
    for name in TOOLS:
        made[name] = None
        if shutil.which(name.split()[0]):
            place = folder / name.replace(" ", "-")
            place.mkdir()
            made[name] = _program(name, place, workload)
    return made


def versions() -> dict[str, str]:
    """Return what the installed tools print as their version, by program."""
    return {
        "age": _first_line("age", "--version"),
        "openssl": _first_line("openssl", "version"),
        "sha512sum": _first_line("sha512sum", "--version"),
    }


def _program(name: str, place: Path, workload: Workload) -> Program:
    data = place / "data"
    data.mkdir()
    workload.fill(data)
    [file] = data.iterdir()
    file.rename(data / PLAIN)
    if name == SHA_512:
        return Program(lambda half: ["sha512sum", data / PLAIN], data=data)
    command = (_age if name == AGE else _openssl)(place, data)

    def remove_output(half: str) -> None:
        (data / (PLAIN if half == PRE_RUN else SEALED)).unlink(missing_ok=True)

    timed(command[POST_RUN])
    return Program(lambda half: command[half], prepare=remove_output, data=data)


def _age(place: Path, data: Path) -> dict[str, Command]:
    key = place / "key"
    timed(["age-keygen", "--output", key])
    recipient = timed(["age-keygen", "-y", key])[1].decode().strip()
    return {
        PRE_RUN: ["age", "--decrypt", "--identity", key, "--output", data / PLAIN, data / SEALED],
        POST_RUN: ["age", "--recipient", recipient, "--output", data / SEALED, data / PLAIN],
    }


def _openssl(place: Path, data: Path) -> dict[str, Command]:
    start = ["openssl", "enc", "-aes-256-cbc", "-K", os.urandom(32).hex(), "-iv", bytes(16).hex()]
    return {
        PRE_RUN: [*start, "-d", "-in", data / SEALED, "-out", data / PLAIN],
        POST_RUN: [*start, "-in", data / PLAIN, "-out", data / SEALED],
    }


def _first_line(*command: str) -> str:
    if not shutil.which(command[0]):
        return "not installed"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return next(iter(done.stdout.splitlines()), "")

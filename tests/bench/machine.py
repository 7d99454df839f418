"""Describes the machine, without anything that tells whose it is."""

import os
import platform
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import cryptography
from cryptography.hazmat.backends.openssl.backend import backend

import entrypoint
from tests.bench import tools

GIB = 1024**3


def describe() -> dict[str, str]:
    """Return facts about this machine and its programs, by name."""
    load, _, _ = os.getloadavg()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / GIB:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_version()}, {ssl.OPENSSL_VERSION}",
        "cryptography": f"{cryptography.__version__}, {backend.openssl_version_text()}",
        "this program": entrypoint.__version__,
        **tools.versions(),
        "load before": f"{load:.2f}",
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def revision(checkout: Path) -> str:
    """Return the revision of a checkout."""
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "of unknown revision"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()

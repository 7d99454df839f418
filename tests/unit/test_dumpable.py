"""The memory of a process that holds a key, as other processes of its user see it."""

import errno
import subprocess
import sys

import pytest

from entrypoint.errors import SystemFailure
from entrypoint.process import dumpable
from tests.other_user import NOBODY
from tests.station import REPOSITORY

PROGRAM = f"""
import os
from entrypoint.linux.initial_environment import initial_environment
from entrypoint.linux.mounts import mounts_below
from entrypoint.process.dumpable import protect_memory
from entrypoint.linux.prctl import PR_SET_DUMPABLE, prctl
from pathlib import Path
if not os.geteuid(): os.setuid({NOBODY})
prctl(PR_SET_DUMPABLE, 1)  # setuid(2) has cleared it
assert b"MODEL=a" in initial_environment()
user = os.getuid()
owner = lambda: os.stat("/proc/self/environ").st_uid
assert owner() == user, owner()
protect_memory()
assert owner() == 0
assert b"MODEL=a" in initial_environment()
os.listdir("/proc/self/fd"), os.readlink("/proc/self/fd/0"), mounts_below(Path("/"))
for name in ("uid_map", "status", "net/dev", "attr/current", "task/self/children", "cgroup"):
    try: open(f"/proc/self/{{name}}".replace("task/self", f"task/{{os.getpid()}}")).read()
    except PermissionError: raise
    except OSError: pass  # this kernel does not have it
if not os.fork():
    os._exit(owner() != 0)
assert os.wait()[1] == 0
os.execv("/bin/sh", ["sh", "-c", "cat /proc/self/environ"])
"""


def test_a_protected_process_works_and_its_memory_is_closed_to_its_user() -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", PROGRAM],
        cwd=REPOSITORY,
        env={"MODEL": "a"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"MODEL=a" in done.stdout


def test_a_process_that_cannot_be_protected_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(option: int, value: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(dumpable, "prctl", fails)
    with pytest.raises(SystemFailure) as raised:
        dumpable.protect_memory()
    assert raised.value.code == "memory-not-protected"

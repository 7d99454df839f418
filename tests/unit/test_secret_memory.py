"""Memory for a secret: the kind of it, and who can read it."""

import os
import resource
import subprocess
import sys

import pytest

from entrypoint.linux.secret_memory import load, store
from tests.station import REPOSITORY

SECRET = bytes(range(256)) * 40
HIDDEN, SEALED = "/secretmem (deleted)", "/memfd:secret (deleted)"
STORES = """
import os, sys
from entrypoint.linux.secret_memory import store
if not os.geteuid(): os.setuid(65534)  # root has no limit of locked memory
descriptor = store(b"secret")
os.set_inheritable(descriptor, True)
os.write(2, f"{descriptor} {os.readlink(f'/proc/self/fd/{descriptor}')}".encode())
"""


@pytest.fixture
def descriptor() -> int:
    """Memory with SECRET."""
    return store(SECRET)


def told(*, memlock: int | None = None, closed: bool = False) -> tuple[int, str]:
    """Return the number and the name of a descriptor that another process has made."""

    def prepare() -> None:
        if memlock is not None:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (memlock, memlock))
        if closed:
            os.closerange(0, 2)

    done = subprocess.run(
        [sys.executable, "-B", "-c", STORES],
        cwd=REPOSITORY,
        preexec_fn=prepare,
        stderr=subprocess.PIPE,
        check=True,
        text=True,
    )
    number, name = done.stderr.split(maxsplit=1)
    return int(number), name


def test_it_holds_the_secret_and_is_handed_on(descriptor: int) -> None:
    assert load(descriptor) == SECRET
    assert load(descriptor) == SECRET
    assert os.get_inheritable(descriptor)
    os.close(descriptor)


def test_a_closed_standard_stream_is_not_replaced() -> None:
    assert told(closed=True)[0] > 2


def test_without_locked_memory_it_is_a_sealed_memfd() -> None:
    assert told(memlock=0)[1] == SEALED


def test_with_locked_memory_the_kernel_hides_it() -> None:
    if told()[1] == SEALED:
        pytest.skip("this kernel has no memfd_secret")
    assert told()[1] == HIDDEN


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> int:
    """Memory with SECRET where the kernel has no memfd_secret."""
    monkeypatch.setattr("entrypoint.linux.secret_memory._store_hidden", lambda _: None)
    return store(SECRET)


def test_a_sealed_memfd_holds_the_secret_and_takes_no_writes(sealed: int) -> None:
    assert load(sealed) == SECRET
    with pytest.raises(PermissionError):
        os.pwrite(sealed, b"x", 0)


def test_a_sealed_memfd_is_closed_to_other_users(sealed: int) -> None:
    assert os.fstat(sealed).st_mode & 0o777 == 0o400

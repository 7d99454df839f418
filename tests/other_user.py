"""Runs parts of tests as other users than root."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
NOBODY = 65534

_RESTRICTION = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
USER_NAMESPACES = not _RESTRICTION.exists() or _RESTRICTION.read_text() == "0\n"
"""False where a user namespace gives a user other than root no rights in it, as on Ubuntu."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")


@contextmanager
def unprivileged(folder: Path) -> Iterator[None]:
    """Run a block as an unprivileged user who owns `folder` and everything in it.

    That user may not read this clone, because root's home is a place for one too: whatever a test
    needs of it has to be read, and imported, before.
    """
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def as_user(uid: int, action: Callable[[], object]) -> int:
    """Run an action in a forked process as another user of the group with the same number.

    Returns:
        0, or the number of the OSError that it has raised.
    """
    pid = os.fork()
    if pid == 0:
        status = 255
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            action()
            status = 0
        except OSError as error:
            status = error.errno or 254
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _keep_out(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("open", "os.listdir", "os.scandir") and os.geteuid() == NOBODY:
        path = str(arguments[0])
        if path.startswith(f"{REPOSITORY}/"):
            raise PermissionError(f"a test reads {path} as another user than root")


sys.addaudithook(_keep_out)

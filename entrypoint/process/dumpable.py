"""Keeps other processes from reading the memory of this one."""

from entrypoint.errors import SystemFailure
from entrypoint.linux.prctl import PR_SET_DUMPABLE, prctl


def protect_memory() -> None:
    """Forbid core dumps of this process, and its memory to all processes of its user.

    It holds in the processes that are forked from this one, and ends at execve(2).

    Raises:
        SystemFailure: the kernel or a seccomp profile refuses it.
    """
    try:
        prctl(PR_SET_DUMPABLE, 0)
    except OSError as error:
        raise SystemFailure(
            "memory-not-protected",
            f"the memory of this process cannot be protected: {(error.strerror or '').lower()}",
            hint="look whether a seccomp profile forbids prctl(2)",
        ) from None

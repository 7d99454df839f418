"""Uses open files of the processes outside of the train, and those that it was started with."""

import os
import stat

from .attempts import Absent, Gain, attempt
from .kernel_calls import TRAIN, call, from_any
from .station_key import key_in


def _other_descriptors(pid: int) -> list[int]:
    return sorted(number for number in map(int, os.listdir(f"/proc/{pid}/fd")) if number > 2)


@attempt(Gain.KEY, "close-on-exec")
def descriptors_inherited() -> str:
    """Reads what the train was started with beside its standard streams."""
    for number in _other_descriptors(TRAIN):
        path = f"/proc/{TRAIN}/fd/{number}"
        if not stat.S_ISREG(os.stat(path).st_mode):
            continue
        with open(path, "rb") as file:
            if found := key_in(file.read(1 << 20)):
                return found
    raise Absent("no key behind the descriptors of the train")


@attempt(Gain.KEY, "uid", "landlock", "key-absent")
def descriptors_opened_again() -> str:
    """Opens the open files of others by their names in /proc."""

    def look(pid: int) -> str | None:
        for number in _other_descriptors(pid):
            path = f"/proc/{pid}/fd/{number}"
            if stat.S_ISREG(os.stat(path).st_mode):
                with open(path, "rb") as file:
                    if found := key_in(file.read(1 << 20)):
                        return found
        return None

    return from_any(look)


@attempt(Gain.KEY, "uid", "landlock", "seccomp", "key-absent")
def descriptors_copied() -> str:
    def look(pid: int) -> str | None:
        numbers = _other_descriptors(pid)
        handle = call("pidfd_open", pid, 0)
        for number in numbers or [0]:
            copy = call("pidfd_getfd", handle, number, 0)
            try:
                if stat.S_ISREG(os.fstat(copy).st_mode) and (
                    found := key_in(os.pread(copy, 1 << 20, 0))
                ):
                    return found
            finally:
                os.close(copy)
        return None

    return from_any(look)


@attempt(Gain.RUNNER, "uid", "landlock", "seccomp")
def descriptors_taken() -> str:
    """Takes any descriptor of the runner; so its pipes and locks could be used."""

    def look(pid: int) -> str:
        handle = call("pidfd_open", pid, 0)
        return f"descriptor {call('pidfd_getfd', handle, 0, 0)}"

    return from_any(look)


@attempt(Gain.RUNNER, "uid", "landlock")
def descriptors_listed() -> str:
    def look(pid: int) -> str:
        names = [os.readlink(f"/proc/{pid}/fd/{number}") for number in _other_descriptors(pid)]
        return f"{len(names)} open files by name"

    return from_any(look)

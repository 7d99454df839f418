"""Looks for the key in the environments and arguments of all processes."""

import os

from .attempts import Absent, Gain, attempt
from .kernel_calls import from_any
from .station_key import key_in


@attempt(Gain.KEY, "clean-environment")
def environment_own() -> str:
    with open("/proc/self/environ", "rb") as file:
        found = key_in(file.read()) or key_in(repr(dict(os.environb)).encode())
    if not found:
        raise Absent("no key in the environment of the train")
    return found


@attempt(Gain.KEY, "uid", "landlock", "clean-environment")
def environment_others() -> str:
    return from_any(lambda pid: _key_in_file(f"/proc/{pid}/environ"))


@attempt(Gain.KEY, "uid", "landlock", "clean-environment")
def environment_of_threads() -> str:
    def look(pid: int) -> str | None:
        threads = os.listdir(f"/proc/{pid}/task")
        files = (f"/proc/{pid}/task/{thread}/environ" for thread in threads)
        return next(filter(None, map(_key_in_file, files)), None)

    return from_any(look)


@attempt(Gain.KEY, "key-absent")
def arguments() -> str:
    return from_any(lambda pid: _key_in_file(f"/proc/{pid}/cmdline"))


def _key_in_file(path: str) -> str | None:
    with open(path, "rb") as file:
        return key_in(file.read())

"""Asks for rights that the train should not have: user, groups, capabilities."""

import os
import stat
from pathlib import Path

from .attempts import Absent, Gain, attempt
from .kernel_calls import LIBC, in_child
from .station_key import STATION

_PR_GET_NO_NEW_PRIVS = 39


def _status() -> dict[str, str]:
    with open("/proc/self/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def _gains_nothing_by_programs() -> bool:
    """Return the flag no_new_privs, which the status of a process lacks in gVisor."""
    return bool(LIBC.prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))


@attempt(Gain.SYSTEM, "caps")
def capabilities_held() -> str:
    held = int(_status()["CapEff"], 16)
    if not held:
        raise PermissionError(1, "no effective capability")
    return f"effective {held:x}"


@attempt(Gain.SYSTEM, "caps")
def capabilities_to_gain() -> str:
    """Looks for capabilities that a program file could give back."""
    bounding = int(_status()["CapBnd"], 16)
    if not bounding or _gains_nothing_by_programs():
        raise PermissionError(1, f"bounding {bounding:x}, no_new_privs")
    return f"bounding {bounding:x}"


@attempt(Gain.SYSTEM, "uid")
def user_is_root() -> str:
    if os.getuid():
        raise PermissionError(1, f"user {os.getuid()}")
    return "files of root belong to it"


@attempt(Gain.SYSTEM, "caps")
def user_changed() -> str:
    in_child(lambda: os.setresuid(4242, 4242, 4242))
    return "any user"


@attempt(Gain.SYSTEM, "no-new-privs")
def user_by_program() -> str:
    """Looks for a program that runs as root whoever starts it."""
    folders = [Path(name) for name in ("/bin", "/usr/bin", "/usr/local/bin")]
    programs = [
        path
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if path.lstat().st_mode & stat.S_ISUID
    ]
    if not programs:
        raise Absent("no such program in this image")
    if _gains_nothing_by_programs():
        raise PermissionError(1, "no_new_privs")
    return str(programs[0])


@attempt(Gain.SYSTEM, "uid")
def group_of_root() -> str:
    if 0 not in (os.getgid(), *os.getgroups()):
        raise PermissionError(1, f"groups {os.getgroups()}")
    return "files of the group of root"


@attempt(Gain.SYSTEM, "mode-of-folder")
def station_folder_listed() -> str:
    names = os.listdir(STATION)
    if not names:
        raise Absent("the station folder is empty")
    return f"{len(names)} names in the station folder"


@attempt(Gain.RUNNER, "uid", "landlock")
def station_folder_written() -> str:
    path = STATION / "attack"
    path.touch()
    path.unlink()
    return "files in the station folder"

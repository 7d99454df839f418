"""Reads the key's file, by its name and by every other way to the same file."""

import ctypes
import os
from collections.abc import Iterator
from itertools import islice

from .attempts import Absent, Gain, attempt
from .kernel_calls import LIBC, call, first_of, from_any
from .station_key import OPT, RESULTS, STATION, key_in

_NAMES = (
    f"{STATION}/private_key.pem",
    f"{STATION}/private_key.password",
    "/run/secrets/rsa_station_private_key",
    "/keys/private_key.pem",
)
_SETTINGS = ("RSA_STATION_PRIVATE_KEY_FILE", "PRIVATE_KEY_PATH", "PRIVATE_KEY_PASSWORD_FILE")


def _read(path: str) -> str | None:
    with open(path, "rb") as file:
        return key_in(file.read(1 << 20))


@attempt(Gain.KEY, "uid", "landlock")
def key_file() -> str:
    return first_of(_NAMES, _read)


@attempt(Gain.KEY, "uid", "landlock")
def key_file_of_settings() -> str:
    paths = [os.environ[name] for name in _SETTINGS if name in os.environ]
    with open(STATION / "station.env") as file:
        pairs = [line.rstrip("\n").partition("=") for line in file]
    paths += [value for name, _, value in pairs if name in _SETTINGS]
    return first_of(paths, _read)


@attempt(Gain.KEY, "uid", "landlock")
def key_file_by_root_of_process() -> str:
    return from_any(lambda pid: _read_below(f"/proc/{pid}/root"))


@attempt(Gain.KEY, "uid", "landlock")
def key_file_by_folder_of_process() -> str:
    return from_any(lambda pid: _read_below(f"/proc/{pid}/cwd/../../.."))


@attempt(Gain.KEY, "uid", "landlock")
def key_file_by_own_root() -> str:
    return first_of((f"/proc/self/root{name}" for name in _NAMES), _read)


@attempt(Gain.KEY, "uid", "landlock")
def key_file_by_link() -> str:
    """Reads it through a symbolic link, which names another path."""
    link = f"/tmp/link-{os.getpid()}"
    os.symlink(STATION, link)
    try:
        return first_of([f"{link}/{os.path.basename(name)}" for name in _NAMES], _read)
    finally:
        os.unlink(link)


@attempt(Gain.KEY, "uid", "landlock")
def key_file_by_hard_link() -> str:
    """Makes the key file one of the results, which others may decrypt."""

    def link(path: str) -> str:
        os.link(path, RESULTS / "linked")
        os.unlink(RESULTS / "linked")
        return "linked into the results"

    return first_of(_NAMES, link)


@attempt(Gain.KEY, "uid", "landlock")
def key_file_renamed() -> str:
    def move(path: str) -> str:
        os.rename(path, RESULTS / "moved")
        os.rename(RESULTS / "moved", path)
        return "moved into the results"

    return first_of(_NAMES, move)


@attempt(Gain.KEY, "uid", "landlock", "key-reachable")
def key_file_by_any_mount() -> str:
    return first_of(_files_of_mounts(), _read)


@attempt(Gain.KEY, "uid", "landlock", "caps")
def key_file_by_mount() -> str:
    """Mounts the station folder a second time."""
    target = f"/tmp/mount-{os.getpid()}"
    os.mkdir(target)
    try:
        call("mount", f"{STATION}".encode(), target.encode(), None, 4096, None)  # MS_BIND
        try:
            return first_of((f"{target}/private_key.pem",), _read)
        finally:
            call("umount2", target.encode(), 2)
    finally:
        os.rmdir(target)


@attempt(Gain.KEY, "uid", "landlock", "caps", "seccomp")
def key_file_by_handle() -> str:
    """Opens it by its inode, past every folder."""

    def open_it(path: str) -> str | None:
        handle = ctypes.create_string_buffer((128).to_bytes(4, "little"), 4 + 4 + 128)
        mount = ctypes.c_int()
        here = -100  # AT_FDCWD
        call("name_to_handle_at", here, path.encode(), handle, ctypes.byref(mount), 0)
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        with open(call("open_by_handle_at", folder, handle, os.O_RDONLY), "rb") as file:
            return key_in(file.read())

    return first_of(_NAMES, open_it)


@attempt(Gain.RUNNER, "uid")
def key_file_mode() -> str:
    """Makes it readable to other users; done with the mode that it has."""

    def change(path: str) -> str:
        os.chmod(path, os.stat(path).st_mode & 0o7777)
        return "its mode can be changed"

    return first_of(_NAMES, change)


@attempt(Gain.KEY, "key-absent")
def key_in_shared_memory() -> str:
    """Looks into the segments of System V, which outlive the process that made them."""
    with open("/proc/sysvipc/shm") as file:
        segments = [line.split() for line in file.readlines()[1:]]
    LIBC.shmat.restype = ctypes.c_void_p
    for _, number, _, size, *_ in segments:
        address = LIBC.shmat(int(number), None, 0o10000)  # SHM_RDONLY
        if address == ctypes.c_void_p(-1).value:
            raise PermissionError(ctypes.get_errno(), f"segment {number}")
        if found := key_in(ctypes.string_at(address, int(size))):
            return found
    raise Absent("no segment with a key")


@attempt(Gain.KEY, "uid")
def key_in_leftovers() -> str:
    """Looks where programs leave temporary files."""
    folders = ("/dev/shm", "/tmp", "/var/tmp", "/root", "/run/lock")
    return first_of((path for folder in folders for path in _files(folder)), _read)


def _read_below(root: str) -> str | None:
    refused = None
    for name in _NAMES:
        try:
            if found := _read(root + name):
                return found
        except FileNotFoundError:
            pass
        except OSError as error:
            refused = error
    if refused:
        raise refused
    return None


def _files_of_mounts() -> Iterator[str]:
    with open("/proc/self/mountinfo") as file:
        points = [line.split()[4] for line in file]
    for point in points:
        if point != "/" and not point.startswith(("/proc", "/sys", "/dev", str(OPT))):
            yield point
            yield from _files(point)


def _files(folder: str) -> Iterator[str]:
    found = (os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)
    return islice(found, 2000)

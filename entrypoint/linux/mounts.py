"""What the kernel says about mounts (proc(5), "/proc/pid/mountinfo").

A path is looked up by the id of its mount, not by the longest mount point in front of it: a mount
may lie hidden under a later one.
"""

import os
import re
from pathlib import Path

from entrypoint.errors import SystemFailure
from entrypoint.model import Record

_MOUNTINFO = Path("/proc/self/mountinfo")
_FDINFO = Path("/proc/self/fdinfo")


class Mount(Record):
    """One mount.

    Attributes:
        id: what the kernel calls it while it exists.
        point: the real path where it is mounted, a folder or a file.
        fs_type: for example `overlay`, `ext4`, `tmpfs`.
        read_only: whether the mount, or the whole file system, takes no writes.
    """

    id: int
    point: Path
    fs_type: str
    read_only: bool


def parse(text: str) -> list[Mount]:
    """Read the text of a mountinfo file.

    Only a newline ends a line and only a space ends a field: names of mount points may hold other
    characters that Python takes for white space.

    Raises:
        ValueError: this is no mountinfo.
    """
    return [_mount(line.split(" ")) for line in text.split("\n") if line]


def mount_of(path: Path) -> Mount:
    """Return the mount that holds the file or folder that `path` leads to.

    Raises:
        OSError: nothing is there.
        SystemFailure: the mount is not listed, as in a chroot that is no mount itself.
    """
    wanted = _mount_id(path)
    for mount in _mounts():
        if mount.id == wanted:
            return mount
    raise SystemFailure(
        "mount-not-listed",
        f"{_MOUNTINFO} does not list the mount that holds {path}",
        hint="run in a container or on the machine itself, not in a chroot",
    )


def is_mount_point(path: Path) -> bool:
    """Return whether something is mounted where `path`, a file or folder, leads to.

    Unlike `os.path.ismount` this also knows bind mounts of files and within one file system.

    Raises:
        OSError: nothing is there.
    """
    real = path.resolve()
    return real == real.parent or _mount_id(real) != _mount_id(real.parent)


def mounts_below(path: Path) -> list[Path]:
    """Return the mount points below the folder `path`, sorted, itself left out."""
    folder = path.resolve()
    return sorted({mount.point for mount in _mounts() if folder in mount.point.parents})


def _mount_id(path: Path) -> int:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        facts = dict(line.split(":\t") for line in _text(_FDINFO / str(handle)).splitlines())
    finally:
        os.close(handle)
    return int(facts["mnt_id"])


def _mounts() -> list[Mount]:
    return parse(_text(_MOUNTINFO))


def _text(path: Path) -> str:
    return os.fsdecode(path.read_bytes())


def _mount(fields: list[str]) -> Mount:
    own_options = fields[5].split(",")
    fs_type, _, fs_options = fields[fields.index("-", 6) + 1 :][:3]
    return Mount(
        id=int(fields[0]),
        point=Path(_unescape(fields[4])),
        fs_type=_unescape(fs_type),
        read_only="ro" in own_options or "ro" in fs_options.split(","),
    )


def _unescape(field: str) -> str:
    """Undo the octal escapes of white space and backslash."""
    if "\\" not in field:
        return field
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)

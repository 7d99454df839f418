"""The rows of `pht doctor` about the machine: network, disks, kernel."""

import os
import platform
import sys
import tempfile
from pathlib import Path

from entrypoint import __version__
from entrypoint.errors import SettingsError
from entrypoint.linux.access import may_write
from entrypoint.linux.disk import free_bytes, total_bytes
from entrypoint.linux.mounts import Mount, is_mount_point, mount_of, mounts_below
from entrypoint.linux.network import network
from entrypoint.model import Paths
from entrypoint.settings.settings import Settings
from entrypoint.station.row import Row, Verdict
from entrypoint.visit.place import check_persistent

_LITTLE_BYTES = 1024**3
"""Free space of `/opt` from which on nothing is said; a visit needs its results twice."""

_LARGE_BYTES = 100 * 1024**2
"""Size of other files in `/opt` from which on a warning says that each container copies them."""

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def network_row(check: str) -> Row:
    """Return the row of the network that a train would have."""
    found = network()
    if found == "none":
        return Row(check=check, verdict=Verdict.OK, found="none: only the loopback is up")
    return Row(
        check=check,
        verdict=Verdict.WARNING,
        found="a train can reach a network"
        if found == "open"
        else "the kernel does not tell whether one is up",
        advice="start the container with --network none, unless trains need one",
    )


def disk_row(check: str, settings: Settings) -> Row:
    """Return the row of the disk on which a train lies.

    Raises:
        SettingsError: a visit cannot be made there.
    """
    paths = settings.paths
    opt = paths.opt if paths.opt.exists() else paths.root
    mount = mount_of(opt)
    if settings.in_container:
        check_persistent(opt)
    if mount.read_only or not may_write(opt):
        raise _unsuitable(f"the runner cannot write to {opt}")
    found, advice = f"{opt}, {_kind(opt, mount)}: {_space(opt)}", []
    if free_bytes(opt) < _LITTLE_BYTES:
        advice.append("free space: the results need it twice while they are sealed")
    if mount.is_empty_dir and settings.export is None:
        advice.append(
            "mount a claim, or let PHT_EXPORT name a file on one: Kubernetes deletes an emptyDir "
            "with its pod"
        )
    is_copy = settings.in_container and mount.point == paths.opt and mount.is_anonymous_volume
    copied = _size_beside(paths) if is_copy else 0
    if copied >= _LARGE_BYTES:
        found += f"; {_size(copied)} in it do not belong to a train"
        advice.append(
            "each container copies them from its image into its volume: leave out --read-only and "
            "--volume /opt, or use an image with less in /opt"
        )
    return Row(
        check=check,
        verdict=Verdict.WARNING if advice else Verdict.OK,
        found=found,
        advice="; ".join(advice),
    )


def _size_beside(paths: Paths) -> int:
    """Return the bytes in `/opt` that are neither a train's nor in a folder with a mount."""
    mounts = mounts_below(paths.opt)
    of_train = {paths.train, paths.results, paths.config, paths.user_key}
    taken = {*of_train, *mounts, *(at for mount in mounts for at in mount.parents)}
    size = 0
    for folder, folders, names in os.walk(paths.opt):  # follows no link
        folders[:] = [name for name in folders if Path(folder, name) not in taken]
        size += sum(_bytes_of(path) for name in names if (path := Path(folder, name)) not in taken)
    return size


def _bytes_of(path: Path) -> int:
    """Return the size of a file; 0 if this user may not see it, or it has just gone."""
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def temporary_row(check: str, paths: Paths, *, in_container: bool) -> Row:
    """Return the row of the folder for a train's temporary files."""
    tmp = paths.root / "tmp" if in_container else Path(tempfile.gettempdir())
    if not tmp.is_dir():
        return Row(
            check=check,
            verdict=Verdict.NOT_SET,
            found=f"there is no {tmp}: temporary files lie below {paths.opt}",
        )
    mount = mount_of(tmp)
    found = f"{tmp}, {_kind(tmp, mount)}: {_space(tmp)}"
    if mount.noexec or mount.read_only:
        why = "takes no writes" if mount.read_only else "lets no program be executed"
        return Row(
            check=check,
            verdict=Verdict.WARNING,
            found=f"{found}; it {why}, so temporary files lie below {paths.opt}",
            advice="add --tmpfs /tmp:exec to the options of docker run",
        )
    return Row(check=check, verdict=Verdict.OK, found=found)


def system_row(check: str, *, in_container: bool) -> Row:
    """Return the row of the kernel and of this program."""
    found = (
        f"Linux {platform.release()}, {platform.machine()}, "
        f"{'in a container' if in_container else 'without a container'}; "
        f"runner {__version__}, Python {platform.python_version()} ({sys.executable})"
    )
    return Row(check=check, verdict=Verdict.OK, found=found)


def _unsuitable(problem: str) -> SettingsError:
    return SettingsError(
        "place-unsuitable",
        problem,
        hint="give the container a volume at /opt, which --read-only needs, and start it as a user "
        "who may write there",
    )


def _kind(folder: Path, mount: Mount) -> str:
    """Return what a folder lies on, in words."""
    if mount.volatile_storage:
        return mount.volatile_storage
    if mount.is_empty_dir:
        return f"an emptyDir of {mount.fs_type}"
    if is_mount_point(folder):
        return f"a mount of {mount.fs_type}"
    return f"on {mount.fs_type}"


def _space(folder: Path) -> str:
    free, total = free_bytes(folder), total_bytes(folder)
    if total == sys.maxsize:
        return "space without bounds"
    return f"{_size(free)} of {_size(total)} free"


def _size(number: float) -> str:
    for unit in _UNITS[:-1]:
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.0f} {_UNITS[-1]}"

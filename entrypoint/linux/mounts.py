"""Mounts, as the kernel lists them (proc(5), "/proc/pid/mountinfo").

A path is looked up as the kernel does it, from the root down over every mount on the way: a later
mount may hide an earlier one, so the longest mount point that begins a path need not hold it. The
id of the mount of an open file (`mnt_id` in fdinfo) would do too, but gVisor does not report it.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from entrypoint.errors import SystemFailure

_MOUNTINFO = Path("/proc/self/mountinfo")
_ANONYMOUS_VOLUME = re.compile(r"/volumes/([0-9a-f]{64}|([^/]+/)?[0-9a-f]{64}/_data)$")
_EMPTY_DIR = re.compile(r"/volumes/kubernetes\.io~empty-dir/")
_LINE = re.compile(
    r"(?P<id>[0-9]{1,19}) (?P<parent>[0-9]{1,19}) (?P<device>[^ ]+) (?P<root>[^ ]+) "
    r"(?P<point>[^ ]+) "
    r"(?P<own>[^ ]+) (?:[^ ]* )*?- (?P<fs_type>[^ ]+) [^ ]* (?P<of_fs>[^ ]*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount.

    Attributes:
        id: its number while it exists.
        parent: the id of the mount that it is mounted on.
        device: of the file system, as `major:minor`.
        root: the path within the file system that is mounted; gVisor always says `/`.
        point: the real path where it is mounted, a folder or a file.
        fs_type: for example `overlay`, `ext4`, `tmpfs`.
        read_only: whether the mount, or the whole file system, takes no writes.
        idmapped: whether it shows other owners than the file system has, mount_setattr(2).
        noexec: whether programs and libraries in it cannot be executed.
        has_lower_layers: whether it names lower layers, as every overlay of Linux does.
    """

    id: int
    parent: int
    device: str
    root: str
    point: Path
    fs_type: str
    read_only: bool
    idmapped: bool = False
    noexec: bool = False
    has_lower_layers: bool = False

    @property
    def volatile_storage(self) -> str:
        """The storage of a mount, in words, if its content is lost with the container; else empty.

        The overlay of gVisor (`runsc --overlay2`) keeps its upper layer in the sandbox, in memory
        or in a file, which no other container and no engine reads.
        """
        if self.fs_type == "tmpfs":
            return "in memory"
        if self.fs_type == "overlay" and not self.has_lower_layers:
            return "in the overlay of gVisor"
        return ""

    @property
    def is_anonymous_volume(self) -> bool:
        """True for an anonymous volume of an engine, such as an image's VOLUME.

        Known by where Docker, Podman, containerd and nerdctl keep them; in gVisor none is found.
        """
        return bool(_ANONYMOUS_VOLUME.search(self.root))

    @property
    def is_empty_dir(self) -> bool:
        """True for an emptyDir volume of Kubernetes on a disk, which is deleted with its pod.

        Known by where the kubelet keeps it; in gVisor none is found.
        """
        return bool(_EMPTY_DIR.search(self.root))


def parse(text: str) -> list[Mount]:
    """Read the text of a mountinfo file.

    Only a newline ends a line and only a space ends a field: names of mount points may hold other
    characters that Python takes for white space.

    Raises:
        SystemFailure: a line has another form.
    """
    return [_mount(line) for line in text.split("\n") if line]


def mount_of(path: Path) -> Mount:
    """Return the mount that holds the file or folder that `path` leads to.

    Raises:
        OSError: nothing is there.
        SystemFailure: the mount is not listed, as in a chroot that is no mount itself.
    """
    mount = _holder(path.resolve(strict=True), _mounts())
    if mount is None:
        raise SystemFailure(
            "mount-not-listed",
            f"{_MOUNTINFO} does not list the mount that holds {path}",
            hint="run in a container or on the machine itself, not in a chroot",
        )
    return mount


def is_mount_point(path: Path) -> bool:
    """Return whether something is mounted where `path`, a file or folder, leads to.

    Unlike `os.path.ismount` this also knows bind mounts of files and within one file system.

    Raises:
        OSError: nothing is there.
    """
    real = path.resolve(strict=True)
    mount = _holder(real, _mounts())
    return mount is not None and mount.point == real


def is_in_overlay(path: Path) -> bool:
    """Return whether `path` may lead into a layer of an image below an overlay.

    Raises:
        OSError: nothing is there.
    """
    mount = _holder(path.resolve(strict=True), _mounts())
    return mount is None or "overlay" in mount.fs_type  # podman has fuse.fuse-overlayfs too


def hides_another(path: Path) -> bool:
    """Return whether the mount where `path` leads to hides another folder mounted there.

    The same folder mounted twice does not count: some engines mount everything once more while
    `docker cp` copies.

    Raises:
        OSError: nothing is there.
    """
    real = path.resolve(strict=True)
    return len({(mount.device, mount.root) for mount in _mounts() if mount.point == real}) > 1


def mounts_below(path: Path) -> list[Path]:
    """Return the mount points below the folder `path`, without itself, sorted."""
    folder = path.resolve()
    return sorted({mount.point for mount in _mounts() if folder in mount.point.parents})


def writable_mounts() -> list[Path]:
    """Return the mount points that take writes, without hidden mounts, sorted."""
    mounts = _mounts()
    writable = {mount.point for mount in mounts if not mount.read_only}
    holders = {point: _holder(point, mounts) for point in writable}
    return sorted(
        point
        for point, mount in holders.items()
        if mount and mount.point == point and not mount.read_only
    )


def shown_elsewhere(path: Path) -> Path | None:
    """Return a mount point below which the file or folder `path` has another path.

    Such a bind mount has the same file system, and a root that holds the file. The file itself
    decides: a later mount may hide it, and NFS calls every root `/`. Hard links are not found.

    Raises:
        OSError: nothing is there.
    """
    real = path.resolve(strict=True)
    others = other_paths(real, _mounts())
    return next((mount.point for mount, shown in others if _may_be_same(real, shown)), None)


def shown_at(reals: Iterable[Path]) -> set[Path]:
    """Return the other paths that real paths have by bind mounts; nothing need be there."""
    mounts = _mounts()
    return {shown for real in reals for _, shown in other_paths(real, mounts)}


def other_paths(real: Path, mounts: Sequence[Mount]) -> Iterator[tuple[Mount, Path]]:
    """Yield the other paths that a real path has by the roots of mounts, each with its mount."""
    holder = _holder(real, mounts)
    if holder is None:
        return
    within = Path(holder.root) / real.relative_to(holder.point)
    for mount in mounts:
        if mount.device == holder.device and within.is_relative_to(mount.root):
            shown = mount.point / within.relative_to(mount.root)
            if shown != real:
                yield mount, shown


def _may_be_same(real: Path, shown: Path) -> bool:
    """Return whether two paths lead to one file, or this user may not see where the second does."""
    try:
        return real.samefile(shown)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        return True


def _holder(real: Path, mounts: Sequence[Mount]) -> Mount | None:
    """Return the mount that holds a real path, None if it is not listed.

    The walk begins at the root mount, whose parent is not listed or is itself; a later mount over
    `/` is not on the way. At every other mount point the uppermost mount counts.
    """
    listed = {mount.id for mount in mounts}
    upper: dict[tuple[int | None, Path], Mount] = {}
    for mount in mounts:
        has_parent = mount.parent in listed and mount.parent != mount.id
        upper[mount.parent if has_parent else None, mount.point] = mount
    root, *points = (*reversed(real.parents), real)
    found = upper.get((None, root))
    for point in points:
        while above := upper.pop((found.id if found else None, point), None):
            found = above
    return found


def _mounts() -> list[Mount]:
    return parse(os.fsdecode(_MOUNTINFO.read_bytes()))


def _mount(line: str) -> Mount:
    fields = _LINE.fullmatch(line)
    if fields is None:
        raise SystemFailure(
            "mountinfo-malformed",
            f"a line of {_MOUNTINFO} does not have the form of proc(5)",
            hint="run on a Linux kernel, or in an engine that shows its mounts as Linux does",
        )
    options = {*fields["own"].split(","), *fields["of_fs"].split(",")}
    return Mount(
        id=int(fields["id"]),
        parent=int(fields["parent"]),
        device=fields["device"],
        root=_unescape(fields["root"]),
        point=Path(_unescape(fields["point"])),
        fs_type=_unescape(fields["fs_type"]),
        read_only="ro" in options,
        idmapped="idmapped" in options,
        noexec="noexec" in options,
        has_lower_layers=any(option.startswith("lowerdir") for option in options),
    )


def _unescape(field: str) -> str:
    """Undo the octal escapes of white space and backslash."""
    if "\\" not in field:
        return field
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)

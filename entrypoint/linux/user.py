"""Users, under the numbers by which the host can give them access."""

import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/etc/group")
_UID_MAP = Path("/proc/self/uid_map")
_GID_MAP = Path("/proc/self/gid_map")
_SETGROUPS = Path("/proc/self/setgroups")


def this_user() -> str:
    """Return the number of this process's user in words, with the host's if that differs."""
    return user_in_words(os.getuid())


def user_in_words(uid: int) -> str:
    """Return the number of a user in words, with the host's where a user namespace maps it."""
    outside = host_uid(uid)
    return f"uid {uid}" if outside == uid else f"uid {uid} (uid {outside} on the host)"


def host_uid(uid: int) -> int:
    """Return the user's number outside of the user namespace (user_namespaces(7))."""
    for inside, outside, count in _ranges(_UID_MAP):
        if inside <= uid < inside + count:
            return outside + uid - inside
    return uid


def has_user(uid: int) -> bool:
    """Return whether the user namespace maps a user, so that a process may become it."""
    return _is_mapped(uid, _UID_MAP)


def has_group(gid: int) -> bool:
    """Return whether the user namespace maps a group."""
    return _is_mapped(gid, _GID_MAP)


def may_set_groups() -> bool:
    """Return whether the user namespace lets a process with SETGID change its groups."""
    return _text(_SETGROUPS).strip() != "deny"


def may_give_files(uid: int, gid: int) -> bool:
    """Return whether this process may give a file to a user and a group.

    A profile of seccomp can forbid it to a process with CHOWN. Asked with a file in memory.
    """
    file = os.memfd_create("owner", os.MFD_CLOEXEC)
    try:
        os.fchown(file, uid, gid)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


def groups_of_root() -> set[int]:
    """Return the groups that /etc/group gives to root; engines give them to a root process.

    Read here, since the C library would load modules that an image names (nsswitch.conf(5)).
    """
    found = set()
    for line in _text(_GROUPS).splitlines():
        match line.split(":"):
            case [_, _, gid, members] if "root" in members.split(",") and gid.isdecimal():
                found.add(int(gid))
    return found


def _is_mapped(number: int, path: Path) -> bool:
    ranges = [*_ranges(path)]
    return not ranges or any(inside <= number < inside + count for inside, _, count in ranges)


def _ranges(path: Path) -> Iterator[tuple[int, int, int]]:
    """Yield the first number of each range inside and outside, and its length."""
    for line in _text(path).splitlines():
        inside, outside, count = map(int, line.split())
        yield inside, outside, count


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # some sandboxes do not have it
        return ""

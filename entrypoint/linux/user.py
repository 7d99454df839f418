"""The user of this process, as somebody on the host has to know it to give it access."""

import os
import re
from pathlib import Path

_UID_MAP = Path("/proc/self/uid_map")
_LABEL = Path("/proc/self/attr/current")


def this_user() -> str:
    """Return the user's number, and the host's where a user namespace shows another one."""
    uid, outside = os.getuid(), host_uid()
    return f"uid {uid}" if outside == uid else f"uid {uid} (uid {outside} on the host)"


def host_uid() -> int:
    """Return the user's number outside of the user namespace (user_namespaces(7))."""
    uid = os.getuid()
    for line in _text(_UID_MAP).splitlines():
        inside, outside, count = map(int, line.split())
        if inside <= uid < inside + count:
            return outside + uid - inside
    return uid


def selinux_hint() -> str:
    """Return how to satisfy SELinux too, as the end of a hint, or nothing without SELinux."""
    label = selinux_type(_text(_LABEL))
    if not label:
        return ""
    return (
        f"; SELinux, by which this process is {label}, may forbid it too: label it with "
        "chcon -R -t container_file_t, or mount it with --volume SOURCE:TARGET:ro,z"
    )


def selinux_type(label: str) -> str:
    """Return the type of a label of SELinux, nothing of what other modules call a process."""
    found = re.fullmatch(r"\w+:\w+:(\w+_t)(?::[\w:.,-]+)?", label.strip("\0\n"))
    return found[1] if found else ""


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):  # not every kernel has it, or has an answer
        return ""

"""The user of this process, under the number by which the host can give it access."""

import os
from pathlib import Path

_UID_MAP = Path("/proc/self/uid_map")


def this_user() -> str:
    """Return the user's number in words, with the host's where a user namespace maps it."""
    uid, outside = os.getuid(), host_uid()
    return f"uid {uid}" if outside == uid else f"uid {uid} (uid {outside} on the host)"


def host_uid() -> int:
    """Return the user's number outside of the user namespace (user_namespaces(7))."""
    uid = os.getuid()
    for line in _uid_map().splitlines():
        inside, outside, count = map(int, line.split())
        if inside <= uid < inside + count:
            return outside + uid - inside
    return uid


def _uid_map() -> str:
    try:
        return _UID_MAP.read_text()
    except OSError:  # some sandboxes do not have it
        return ""

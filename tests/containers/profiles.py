"""Profiles of seccomp that are stricter than an engine's own."""

import errno
import json
from collections.abc import Sequence
from pathlib import Path

_LANDLOCK = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")


def forbidding(folder: Path, names: Sequence[str], error: int = errno.EPERM) -> list[str]:
    """Return the options of a container in which system calls fail; the profile is in a folder."""
    forbidden = {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": error}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [forbidden]}
    path = folder / "profile.json"
    path.write_text(json.dumps(profile))
    return ["--security-opt", f"seccomp={path}"]


def without_landlock(folder: Path) -> list[str]:
    """Return the options of a container whose kernel seems to have no Landlock."""
    return forbidding(folder, _LANDLOCK, errno.ENOSYS)

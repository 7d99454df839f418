"""Naming settings that hold paths, without showing a secret that was set in the place of a path."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

_MAY_HOLD_PASSWORD = r"://|@|(password|passwd|pwd|secret|token|key)\s*="
"""Is in URLs, in `user/password@host`, and in the settings of a connection."""


def described(name: str, value: str) -> str:
    """Return the name of a setting, with its value where that cannot be taken for a secret."""
    return f"{name} ({value})" if can_be_shown(value) else name


def can_be_shown(value: str) -> bool:
    """Return whether a value leads to something, or is plainly a path and not a key or password."""
    is_path = value.startswith(("/", "./", "../")) and not looks_like_address(value)
    return is_path or os.path.lexists(value)


def looks_like_address(value: str) -> bool:
    """Return whether a value looks like an address that may hold a password."""
    is_absolute = re.match(r"/(?!/)", value)
    return not is_absolute and bool(re.search(_MAY_HOLD_PASSWORD, value, re.IGNORECASE))


def distinct(paths: Mapping[str, str]) -> dict[str, Path]:
    """Return the described paths without those that lead to the same file as one before."""
    found: dict[str | tuple[int, int], str] = {}
    for description, path in paths.items():
        try:
            info = os.stat(path)
        except OSError:  # who reads it says what is wrong with it
            found.setdefault(path, description)
        else:
            found.setdefault((info.st_dev, info.st_ino), description)
    return {description: Path(paths[description]) for description in found.values()}

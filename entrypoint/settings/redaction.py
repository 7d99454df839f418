"""Decides whether messages may show the value of a setting that should hold a path.

People set a key, a password or the address of a database there by mistake.
"""

import os
import re

_MAY_HOLD_PASSWORD = r"://|@|(password|passwd|pwd|secret|token|key)\s*="
"""Matches URLs, `user/password@host`, and the connection strings of databases."""


def name_and_value(name: str, value: str) -> str:
    """Return the name of a setting, with its value if that can be shown."""
    return f"{name} ({value})" if can_be_shown(value) else name


def can_be_shown(value: str) -> bool:
    """Return whether a value is the path of something that exists, or is clearly a path."""
    is_path = value.startswith(("/", "./", "../")) and not looks_like_address(value)
    return is_path or os.path.lexists(value)


def looks_like_address(value: str) -> bool:
    """Return whether a value looks like an address that may hold a password."""
    is_absolute = re.match(r"/(?!/)", value)
    return not is_absolute and bool(re.search(_MAY_HOLD_PASSWORD, value, re.IGNORECASE))

"""SELinux's label of this process, for hints."""

import re
from pathlib import Path

_LABEL = Path("/proc/self/attr/current")


def selinux_hint() -> str:
    """Return the end of a hint about how to satisfy SELinux too; nothing without SELinux."""
    label = selinux_type(_label())
    if not label:
        return ""
    return (
        f"; SELinux, by which this process is {label}, may forbid it too: label a folder of the "
        "station alone with chcon -R -t container_file_t; for data that others use, start the "
        "container with --security-opt label=disable"
    )


def selinux_type(label: str) -> str:
    """Return the type in a label of SELinux; nothing of the label of another security module."""
    found = re.fullmatch(r"\w+:\w+:(\w+_t)(?::[\w:.,-]+)?", label.strip("\0\n"))
    return found[1] if found else ""


def _label() -> str:
    try:
        return _LABEL.read_text()
    except (OSError, UnicodeDecodeError):  # no security module answers
        return ""

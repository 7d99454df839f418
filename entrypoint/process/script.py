"""The first line of a script, by which Linux finds what runs it (execve(2))."""

import os
import re

_LOOKED_AT = 256  # bytes, by Linux; a longer line is cut


def interpreter(program: str) -> str:
    """Return what the `#!` line of a program names, as Linux reads it; nothing if it has none.

    Raises:
        OSError: the program cannot be read.
    """
    found = re.match(rb"#![ \t]*([^ \t]*)", _first_line(program))
    return os.fsdecode(found[1]) if found else ""


def has_windows_line_ends(path: str) -> bool:
    """Return whether the first line of a file ends as on Windows; False if there is no file."""
    try:
        return os.path.isfile(path) and _first_line(path).endswith(b"\r")
    except OSError:
        return False


def _first_line(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(_LOOKED_AT).partition(b"\n")[0]

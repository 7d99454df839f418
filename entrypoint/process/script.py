"""Reads the first line of a script as Linux does (execve(2))."""

import os
import re

_LINE_BYTES = 256  # longest `#!` line of Linux; a longer one is cut


def interpreter(program: str) -> str:
    """Return the interpreter in the `#!` line of a program, or "" if it has no such line.

    Raises:
        OSError: the program cannot be read.
    """
    found = re.match(rb"#![ \t]*([^ \t]*)", _first_line(program))
    return os.fsdecode(found[1]) if found else ""


def has_windows_line_ends(path: str) -> bool:
    """Return whether the first line of a file ends with CRLF; False if there is no such file."""
    try:
        return os.path.isfile(path) and _first_line(path).endswith(b"\r")
    except OSError:
        return False


def _first_line(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(_LINE_BYTES).partition(b"\n")[0]

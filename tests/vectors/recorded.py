"""Listings of trees: as the vectors record them, and of trees on this machine."""

import hashlib
import os
import stat
from pathlib import Path

from tests import reference


def recorded(file: Path) -> list[list[str]]:
    """Return the entries that a file of the vectors lists: see `listing`."""
    return [line.split("\t") for line in file.read_text().splitlines()]


def listing(folder: Path) -> list[list[str]]:
    """Return type, path, size, SHA-256 or target, and mode of everything, in archive order."""
    return [_entry(folder, path) for path in [".", *reference.archive_order(folder)]]


def without_modes(entries: list[list[str]]) -> list[list[str]]:
    """Return entries without the last column: a checkout of this project keeps no modes."""
    return [entry[:4] for entry in entries]


def shape(folder: Path) -> list[list[str]]:
    """Return type, path and mode of everything: what sealing must keep."""
    return [[kind, path, mode] for kind, path, _, _, mode in listing(folder)]


def flip_digit(hex_digits: str, position: int = -1) -> str:
    """Return hex digits with one of them changed by one bit."""
    digits = list(hex_digits)
    digits[position] = f"{int(digits[position], 16) ^ 1:x}"
    return "".join(digits)


def _entry(folder: Path, path: str) -> list[str]:
    info = (folder / path).lstat()
    mode = oct(stat.S_IMODE(info.st_mode))
    if stat.S_ISREG(info.st_mode):
        content = (folder / path).read_bytes()
        return ["file", path, str(len(content)), hashlib.sha256(content).hexdigest(), mode]
    if stat.S_ISLNK(info.st_mode):
        return ["symlink", path, "0", os.readlink(folder / path), mode]
    return ["dir", path, "0", "", mode]

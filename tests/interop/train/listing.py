"""Lists a folder, for the train, which has this file beside it, and for the tests."""

import hashlib
import os
import stat
from pathlib import Path

Listing = dict[str, list[str]]


def listing(folder: Path) -> Listing:
    """Return everything below a folder by path: its kind, its mode, its digest or target."""
    return {str(path.relative_to(folder)): _describe(path) for path in folder.rglob("*")}


def _describe(path: Path) -> list[str]:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return ["link", "", os.readlink(path)]
    if stat.S_ISDIR(mode):
        return ["folder", oct(stat.S_IMODE(mode)), ""]
    return ["file", oct(stat.S_IMODE(mode)), hashlib.sha256(path.read_bytes()).hexdigest()]

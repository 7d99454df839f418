"""Refuses symbolic links in places where only a real file or folder is safe."""

import io
import os
from pathlib import Path

from entrypoint.errors import IntegrityError
from entrypoint.limits import SMALL_FILE_BYTES


def refuse_links(*places: Path) -> None:
    """Raise IntegrityError if one of these places is a link: it could lead to the station's key."""
    for path in places:
        if path.is_symlink():
            raise IntegrityError(
                "link-in-place",
                f"{path} is a symbolic link",
                hint="do not use this train if the link came with it or its image: no honest "
                "builder makes one here; with --root, replace a link of your own by the folder "
                "that it leads to",
            )


def open_real(path: str | Path) -> io.FileIO:
    """Open a file to read it; raise OSError if it is a link, which could lead anywhere."""
    return open(path, "rb", buffering=0, opener=_without_links)


def read_small(path: str) -> bytes:
    """Return the contents of a small file; raise OSError if it is a link.

    For thousands of files a file object would cost as much as the reading.
    """
    handle = _without_links(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        pieces = []
        while piece := os.read(handle, SMALL_FILE_BYTES):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(handle)


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))  # Windows does not have it

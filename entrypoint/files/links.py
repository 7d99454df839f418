"""Refuses symbolic links in places where only a real file or folder is safe."""

import io
import os
from pathlib import Path

from entrypoint.errors import IntegrityError


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


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))  # Windows does not have it

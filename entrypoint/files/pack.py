"""Packs: many small files in one, which are written in place later.

Thousands of files, each created, flushed and renamed by itself, cost a container's file system far
more than their bytes. A pack makes them durable with one flush. Then they are written in place, and
after a crash the pack is applied again.

A record is the length of the path (4 bytes), of the contents (8, both little endian), the path and
the contents. A record of two zeros ends the pack; without it the pack is incomplete.
"""

import os
import struct
from pathlib import Path
from typing import IO, Self

from entrypoint.errors import IntegrityError

_HEAD = struct.Struct("<IQ")
_END = _HEAD.pack(0, 0)


class PackWriter:
    """Writes a new pack; it is complete when the block ends without an error."""

    def __init__(self, pack: Path) -> None:
        self._file = pack.open("xb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if error is None:
                self._file.write(_END)

    def add(self, path: str, contents: bytes) -> None:
        """Append a file, its path relative to the folder that the pack will be applied to."""
        name = os.fsencode(path)
        self._file.write(_HEAD.pack(len(name), len(contents)) + name + contents)


def record_bytes(path: str, size: int) -> int:
    """Return the size in a pack of a file of `size` bytes."""
    return _HEAD.size + len(os.fsencode(path)) + size


def apply(pack: Path, folder: Path, *, empty_first: bool) -> None:
    """Write every file of a pack in place: existing files in `folder` get new contents.

    An incomplete pack, left by a crash, is ignored: it was never applied.

    Args:
        pack: as `PackWriter` writes it.
        folder: the folder of the files.
        empty_first: whether to truncate files before they are written. It keeps overlayfs from
            copying up old contents; elsewhere it costs time: ext4 flushes such a file on close.

    Raises:
        IntegrityError: a path leads out of `folder`.
    """
    with pack.open("rb") as file:
        if not _is_complete(file):
            return
        file.seek(0)
        while (head := file.read(_HEAD.size)) != _END:
            name_bytes, content_bytes = _HEAD.unpack(head)
            name = file.read(name_bytes)
            if name.startswith(b"/") or b".." in name.split(b"/"):
                raise IntegrityError(
                    "pack-forged",
                    f"{pack} was not written by this runner",
                    hint="start from the image again; never continue another station's container",
                )
            path = os.path.join(os.fsencode(folder), name)
            _overwrite(path, file.read(content_bytes), empty_first)


def _is_complete(file: IO[bytes]) -> bool:
    """Return whether the record that ends a pack is there."""
    while len(head := file.read(_HEAD.size)) == _HEAD.size and head != _END:
        file.seek(sum(_HEAD.unpack(head)), os.SEEK_CUR)
    return head == _END


def _overwrite(path: bytes, contents: bytes, empty_first: bool) -> None:
    flags = os.O_WRONLY | os.O_NOFOLLOW | (os.O_TRUNC if empty_first else 0)
    file = os.open(path, flags)  # a file object costs as much as the writing
    try:
        size = 0
        while size < len(contents):
            size += os.write(file, contents[size:])
        os.truncate(file, size)
    finally:
        os.close(file)

"""Many small files in one: path and contents, one after another.

Thousands of files, each made, flushed and renamed for itself, cost a container's file system far
more than their bytes. In a pack they are made durable at once and then written in place, where a
crash is mended by writing them again.

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
    """Return what a file of `size` bytes takes in a pack."""
    return _HEAD.size + len(os.fsencode(path)) + size


def apply(pack: Path, folder: Path, *, empty_first: bool) -> None:
    """Write every file of a pack in place: existing files in `folder` get new contents.

    An incomplete pack, which a crash leaves, was never begun to be applied and is passed over.

    Args:
        pack: as `PackWriter` writes it.
        folder: what the paths are relative to.
        empty_first: whether files are emptied before they are written. One that is still in a layer
            of an image is then not copied, with a flush, only to be overwritten; of any other, ext4
            would write everything at once when it is closed.

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
    """Return whether the records lead to the end that was written last."""
    while len(head := file.read(_HEAD.size)) == _HEAD.size and head != _END:
        file.seek(sum(_HEAD.unpack(head)), os.SEEK_CUR)
    return head == _END


def _overwrite(path: bytes, contents: bytes, empty_first: bool) -> None:
    flags = os.O_WRONLY | os.O_NOFOLLOW | (os.O_TRUNC if empty_first else 0)
    with open(os.open(path, flags), "wb") as file:
        file.write(contents)
        file.truncate()

"""Takes a train out of the archive of an image, as an engine would show it at /opt."""

import os
import shutil
import tarfile
from functools import partial
from itertools import count
from pathlib import Path
from typing import IO

from entrypoint.errors import OPERATOR, MalformedTrain
from entrypoint.files.tar_reader import Unpacker
from entrypoint.images.archive import read_image
from entrypoint.images.entry_rules import CONFIG, train_path
from entrypoint.images.layer import Hash, Layer, Room, read_layer
from entrypoint.images.tar_entries import DIRECTORY, Entry
from entrypoint.images.window import Window
from entrypoint.limits import LISTED_PROBLEMS

_UNREADABLE = {"layer-unreadable", "too-many-entries", "train-config-unusable"}
"""Findings in any layer for which not everything in it is known."""

_UNCLEAR = {"archive-name", "layer-missing", "layers-differ"}
"""Differences for which engines could take other layers."""

_WHITEOUT = ".wh."
"""Beginning of the name of a mark: another file is removed from the layers below."""

_OPAQUE = ".wh..wh..opq"
"""Name of the mark by which everything in its folder is removed from the layers below."""


def unpack_train(source: IO[bytes], work: Path, folder: Path) -> None:
    """Write the train of an image, with its folder `opt`, into an empty folder.

    The order of the layers stands at the end of an archive, so the train's files of each layer go
    into a folder of its own first.

    Args:
        source: the archive, as `docker save` or `podman save` writes it; it may be compressed.
        work: an empty folder on the same file system.
        folder: where to write.

    Raises:
        MalformedTrain: it is no such archive, a layer of it is not certain, or as `Unpacker.add`.
        IntegrityError: it holds several images.
        SystemFailure: as `Unpacker.add`.
        OSError: reading or writing failed.
    """
    layers = _Layers(work)
    image = read_image(source, layers.read)
    problems = [difference for difference in image.differences if difference.code in _UNCLEAR]
    for layer in image.layers:
        problems += [finding for finding in layer.findings if finding.code in _UNREADABLE]
    if problems:
        raise MalformedTrain(
            "archive-malformed",
            "the archive holds an image with layers that cannot be read, or not in one way only",
            hint="save the image again, with docker save, podman save or skopeo copy",
            problems=[
                f"{found.where} {found.what}".lstrip() for found in problems[:LISTED_PROBLEMS]
            ],
            by=OPERATOR,
        )
    # Of two equal layers the upper one alone makes the same: it sets and removes all that the lower
    # one does.
    uppermost = dict.fromkeys(layer.diff_id for layer in reversed(image.layers))
    for diff_id in reversed(uppermost):
        _put_over(layers.folders[diff_id], folder)


class _Layers:
    """Unpacks the train's files of each layer.

    Attributes:
        folders: the folder of each layer, by its diff id.
    """

    def __init__(self, work: Path) -> None:
        self._work = work
        self._numbers = count()
        self.folders: dict[str, Path] = {}

    def read(self, blob: Window, digest: Hash, room: Room) -> Layer:
        """Read one layer to its end; see `read_layer`."""
        folder = self._work / str(next(self._numbers))
        folder.mkdir()
        unpacker = Unpacker(folder)
        layer = read_layer(blob, digest, room, partial(_unpack, unpacker))
        if layer.config:
            unpacker.add(tarfile.TarInfo(os.fsdecode(CONFIG)), [layer.config])
        unpacker.finish()
        self.folders[layer.diff_id] = folder
        return layer


def _unpack(unpacker: Unpacker, entry: Entry, content: Window) -> None:
    """Unpack an entry of a layer if it is the train's."""
    if path := train_path(entry):
        info = tarfile.TarInfo(os.fsdecode(path))
        info.type = entry.kind  # the same letters
        # Layers are merged in their folders.
        info.mode = entry.mode | (0o700 if entry.kind == DIRECTORY else 0)
        info.linkname = os.fsdecode(entry.link)
        unpacker.add(info, content.pieces(entry.size))


def _put_over(layer: Path, below: Path) -> None:
    """Move the contents of a layer's folder over those of the layers below."""
    names = os.listdir(layer)
    if _OPAQUE in names:
        for name in os.listdir(below):
            _remove(below / name)
    for name in names:
        if name.startswith(_WHITEOUT):
            _remove(below / name.removeprefix(_WHITEOUT))
    for name in names:
        if not name.startswith(_WHITEOUT):
            _move_over(layer / name, below / name)


def _move_over(upper: Path, lower: Path) -> None:
    """Move a file in the place of another one; of folders, their contents."""
    if not _is_folder(upper):
        _remove(lower)
        upper.rename(lower)
        return
    if not _is_folder(lower):
        _remove(lower)
        lower.mkdir()
    _put_over(upper, lower)
    shutil.copymode(upper, lower)


def _remove(path: Path) -> None:
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()

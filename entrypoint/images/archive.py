"""Reads the archive of an image in one pass: docker-archive, or an OCI layout in a tar.

Every digest is computed, none is believed. Where engines could take different documents or layers,
all of them have to mean the same image.
"""

import hashlib
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import IO

from entrypoint.errors import OPERATOR, MalformedTrain
from entrypoint.files.strict_json import Document
from entrypoint.images.compression import BadCompression, decompressed
from entrypoint.images.differences import Difference
from entrypoint.images.finder import BadArchive, Finder
from entrypoint.images.layer import Hash, Layer, Room, hashed, read_layer
from entrypoint.images.tar_entries import (
    DIRECTORY,
    REGULAR,
    SYMLINK,
    BadTar,
    Entry,
    as_text,
    entries,
)
from entrypoint.images.window import Window
from entrypoint.limits import IMAGE_DOCUMENT_BYTES, IMAGE_DOCUMENTS_BYTES, IMAGE_MEMBERS

ReadLayer = Callable[[Window, Hash, Room], Layer]
"""See `read_layer`."""

_CHUNK_BYTES = 1024 * 1024
_DIGEST_NAMES = re.compile(r"blobs/sha256/([0-9a-f]{64})|([0-9a-f]{64})\.(?:json|tar)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image in an archive.

    Attributes:
        ids: the digests by which engines call it; the first is that of its configuration.
        tags: the names that the archive gives it.
        document: its configuration with everything around it.
        layers: from the lowest to the topmost.
        differences: what is wrong with the archive itself.
    """

    ids: tuple[str, ...]
    tags: tuple[str, ...]
    document: Document
    layers: tuple[Layer, ...]
    differences: tuple[Difference, ...]

    @property
    def settings(self) -> Document:
        """The object `config` of the document, by which an engine starts containers."""
        return self.document.get("config") or {}


def read_image(source: IO[bytes], read: ReadLayer = read_layer) -> Image:
    """Return the one image of an archive, which may be compressed; read it to its end.

    Args:
        source: the archive.
        read: reads each layer.

    Raises:
        MalformedTrain: it is no such archive, or its documents are malformed.
        IntegrityError: it holds several images.
    """
    try:
        _, stream = decompressed(Window(iter(lambda: source.read(_CHUNK_BYTES), b"")))
        window = Window(stream)
        contents = _Contents(read)
        for entry in entries(window):
            contents.add(entry, window)
        return contents.image()
    except (BadArchive, BadTar, BadCompression) as problem:
        raise MalformedTrain(
            "archive-malformed",
            f"the archive holds no image that can be read: {problem}",
            hint="save the image again, with docker save, podman save or skopeo copy",
            by=OPERATOR,
        ) from None


class _Contents:
    """The contents of an archive, by digest.

    Attributes:
        digests: of the regular files, by their names.
        documents: the small files that may be JSON, by their digests.
        layers: all other files, read as layers, by their digests.
        misnamed: files whose name claims another digest.
    """

    def __init__(self, read: ReadLayer) -> None:
        self._read = read
        self.digests: dict[str, str] = {}
        self.documents: dict[str, bytes] = {}
        self.layers: dict[str, Layer] = {}
        self.misnamed: list[Difference] = []
        self._names: set[str] = set()
        self._links: dict[str, str] = {}
        self._room = Room()
        self._document_bytes = IMAGE_DOCUMENTS_BYTES

    def add(self, entry: Entry, window: Window) -> None:
        name = _name(entry)
        if name in self._names:
            raise BadArchive(f"it holds {name} twice")
        if len(self._names) == IMAGE_MEMBERS:
            raise BadArchive(f"it has more than {IMAGE_MEMBERS} entries")
        self._names.add(name)
        if entry.kind == REGULAR:
            self._add_file(name, entry.size, window)
        elif entry.kind == SYMLINK:
            target = posixpath.join(posixpath.dirname(name), as_text(entry.link))
            self._links[name] = posixpath.normpath(target)

    def _add_file(self, name: str, size: int, window: Window) -> None:
        digest = hashlib.sha256()
        blob = Window(hashed(window.pieces(size), digest))
        first = blob.take(1)
        if first in (b"{", b"[") and size <= min(IMAGE_DOCUMENT_BYTES, self._document_bytes):
            self._document_bytes -= size
            document = first + blob.take(size - 1)
            actual = f"sha256:{digest.hexdigest()}"
            self.documents[actual] = document
        else:
            layer = self._read(Window(chain([first], blob.rest())), digest, self._room)
            actual = f"sha256:{digest.hexdigest()}"
            self.layers[actual] = layer
        self.digests[name] = actual
        named = _DIGEST_NAMES.fullmatch(name)
        if named and actual.removeprefix("sha256:") not in named.groups():
            self.misnamed.append(Difference("archive-name", name, f"holds {actual}"))

    def image(self) -> Image:
        self._refuse_paths_below_files()
        linked = {name: self.digests.get(target, "") for name, target in self._links.items()}
        finder = Finder(self.digests, linked, self.documents)
        digest, document = finder.config()
        match document:
            case {"rootfs": {"diff_ids": [*diff_ids]}} if all(isinstance(d, str) for d in diff_ids):
                pass
            case _:
                raise BadArchive("its configuration names no layers")
        if not isinstance(document.get("config") or {}, dict):
            raise BadArchive("its configuration has no object where one belongs")
        wrong = (self._wrong_layers(names, diff_ids) for names in finder.layers)
        text = f"the archive names {finder.absent} more, and does not hold them"
        absent = [Difference("platforms-absent", "index", text)] if finder.absent else []
        return Image(
            ids=(digest, *finder.ids),
            tags=(*finder.tags,),
            document=document,
            layers=tuple(self.layers[name] for name in finder.layers[0] if name in self.layers),
            differences=(*self.misnamed, *finder.differences, *absent, *chain(*wrong)),
        )

    def _refuse_paths_below_files(self) -> None:
        """Refuse paths that lead over a link, by which Docker would replace another file."""
        files = self.digests.keys() | self._links.keys()
        for name in self._names:
            if above := next((path for path in _folders(name) if path in files), None):
                raise BadArchive(f"its entry {name} lies below {above}, which is no folder")

    def _wrong_layers(self, names: Sequence[str], diff_ids: Sequence[str]) -> Iterator[Difference]:
        """Yield how the layers of a manifest are not those that the configuration names.

        Docker and containerd compare them, but podman unpacks those of the manifest.
        """
        if len(names) != len(diff_ids):
            text = f"names {len(names)} layers, the configuration {len(diff_ids)}"
            yield Difference("layers-differ", "manifest", text)
        for number, (name, diff_id) in enumerate(zip(names, diff_ids, strict=False), start=1):
            layer, where = self.layers.get(name), f"layer {number}"
            if layer is None:
                yield Difference("layer-missing", where, "is not in the archive")
            elif layer.diff_id != diff_id:
                text = f"is {layer.diff_id}, not the one that the configuration names"
                yield Difference("layers-differ", where, text)
                yield from (replace(d, where=where) for d in layer.findings if not d.where)


def _folders(name: str) -> Iterator[str]:
    while name := posixpath.dirname(name):
        yield name


def _name(entry: Entry) -> str:
    """Return the plain name of an entry; refuse what engines could unpack to another place."""
    path = entry.name.removesuffix(b"/") if entry.kind == DIRECTORY else entry.name
    name = as_text(path)
    if entry.odd or b"\x00" in path or any(part in (b"", b".", b"..") for part in path.split(b"/")):
        raise BadArchive(f"its entry {name} {entry.odd or 'is no plain path'}")
    # docker-archive has links for layers that repeat.
    is_link = entry.kind == SYMLINK and path.endswith(b"/layer.tar")
    if not (is_link or entry.kind in (REGULAR, DIRECTORY)):
        raise BadArchive(f"its entry {name} is neither a file nor a folder")
    return name

"""Reads one layer of an image: its digest, and every entry that a train's layer may not have."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from entrypoint.images.compression import BadCompression, decompressed
from entrypoint.images.differences import Difference
from entrypoint.images.entry_rules import CONFIG, Paths, Rights, TooManyPaths, findings
from entrypoint.images.tar_entries import REGULAR, BadTar, Entry, as_text, entries
from entrypoint.images.window import Window
from entrypoint.limits import IMAGE_DOCUMENTS_BYTES, IMAGE_FINDINGS, IMAGE_TRAIN_CONFIG_BYTES

_CONFIG_REMOVED = b"opt/.wh.train_config.json"
_SHOWN_PATH = 200
"""Maximum length of a path in a finding, in bytes."""


@dataclass(slots=True)
class Room:
    """The room that is left for what is kept of the layers of one archive, in bounded memory.

    Attributes:
        findings: number of findings; further ones are counted.
        links: number of remembered paths of links.
        config_bytes: size of configurations.
    """

    findings: int = 5_000
    links: int = 20_000
    config_bytes: int = IMAGE_DOCUMENTS_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer; its findings count if it is the train's own.

    Attributes:
        diff_id: SHA-256 of the uncompressed tar.
        findings: the first differences in it, where: the path.
        more: number of further ones, at least one of each kind being in `findings`.
        folders: owner and rights of the folders that master and train share.
        links, real: see `entry_rules.Paths`.
        config: the bytes of train_config.json; empty if the layer removes it; None if it keeps it.
    """

    diff_id: str
    findings: tuple[Difference, ...]
    more: int
    folders: Mapping[bytes, Rights]
    links: frozenset[int]
    real: frozenset[int]
    config: bytes | None


class Hash(Protocol):
    """The part of a hash of hashlib that is used here."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Add data."""

    def hexdigest(self) -> str:
        """Return the digest of everything added so far."""


Keep = Callable[[Entry, Window], None]
"""Called for each entry of a layer but train_config.json; may take the data of the entry, and raise
BadTar."""


def hashed(pieces: Iterable[bytes | memoryview], digest: Hash) -> Iterator[bytes | memoryview]:
    """Yield the pieces, added to a hash on their way."""
    for piece in pieces:
        digest.update(piece)
        yield piece


def read_layer(blob: Window, blob_digest: Hash, room: Room, keep: Keep | None = None) -> Layer:
    """Read a layer to its end.

    Args:
        blob: the layer as it is in the archive.
        blob_digest: the hash of it, fed while it is read.
        room: what may still be kept.
        keep: see there.
    """
    compressed, stream = decompressed(blob)
    digest: Hash = hashlib.sha256() if compressed else blob_digest
    content = Window(hashed(stream, digest) if compressed else stream)
    scan = _Scan(room, keep)
    try:
        for entry in entries(content):
            scan.add(entry, content)
    except (BadTar, BadCompression) as problem:
        scan.note("layer-unreadable", b"", f"{problem}, at byte {content.tell()}")
    except TooManyPaths:
        scan.note("too-many-entries", b"", "has more paths of a train than are compared")
    for _ in content.rest():
        pass
    for _ in blob.rest():  # what is behind damaged data
        pass
    return scan.layer(f"sha256:{digest.hexdigest()}")


class _Scan:
    """Collects what is found in one layer, in bounded memory."""

    def __init__(self, room: Room, keep: Keep | None) -> None:
        self._room = room
        self._keep = keep
        self._paths = Paths(room.links)
        self._max_findings = min(IMAGE_FINDINGS, room.findings)
        self._findings: list[Difference] = []
        self._codes: set[str] = set()
        self._more = 0
        self._config: bytes | None = None

    def add(self, entry: Entry, content: Window) -> None:
        for code, what in findings(entry, self._paths):
            self.note(code, entry.name, what)
        if entry.name == CONFIG and entry.kind == REGULAR:
            self._config = self._read_config(entry, content)
            return
        if entry.name == _CONFIG_REMOVED:
            self._config = b""
        if self._keep:
            self._keep(entry, content)

    def note(self, code: str, path: bytes, what: str) -> None:
        # One of each code is kept in any case: it may be the only one that is refused.
        if len(self._findings) >= self._max_findings and code in self._codes:
            self._more += 1
            return
        self._codes.add(code)
        where = f"/{as_text(path[:_SHOWN_PATH])}" if path else ""
        self._findings.append(Difference(code, where, what))

    def layer(self, diff_id: str) -> Layer:
        self._room.findings -= len(self._findings)
        self._room.links -= len(self._paths.links) + len(self._paths.real)
        return Layer(
            diff_id=diff_id,
            findings=tuple(self._findings),
            more=self._more,
            folders=self._paths.folders,
            links=frozenset(self._paths.links),
            real=frozenset(self._paths.real),
            config=self._config,
        )

    def _read_config(self, entry: Entry, content: Window) -> bytes:
        if entry.size > min(IMAGE_TRAIN_CONFIG_BYTES, self._room.config_bytes):
            self.note("train-config-unusable", entry.name, "is larger than any configuration")
            return b""
        self._room.config_bytes -= entry.size
        return content.take(entry.size)

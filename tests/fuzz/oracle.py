"""Judges what our reader makes of the archive of an image, whatever is in it."""

import io
import tarfile

from entrypoint.errors import PhtError
from entrypoint.images.archive import read_image
from entrypoint.images.masters import master_of
from entrypoint.images.tar_entries import entries
from entrypoint.images.validate import validate
from entrypoint.images.window import Window
from tests.archives import BLOCK, MASTER, MASTER_LAYERS, docker_archive, image_config

KINDS = 5

_MASTER = master_of(read_image(io.BytesIO(MASTER)), "master")

Listing = list[tuple[bytes, bytes, int, bytes]]
"""The entries of an archive: name, kind, size and target."""


def check(data: bytes) -> bool:
    """Check one input, and return whether it makes an image that is accepted.

    The first byte says what the rest is: a layer, a configuration, or an archive, as it is or with
    right checksums in its headers.

    Raises:
        AssertionError: an archive is accepted whose names Python reads differently.
        Exception: any other than PhtError is a bug of the reader.
    """
    kind, rest = data[0] % KINDS if data else 0, data[1:]
    if kind == 0:
        return _accepts_layer(with_sums(rest))
    if kind == 1:
        return _accepts_layer(rest)
    if kind == 2:
        return accepts(docker_archive(MASTER_LAYERS, rest))
    return accepts(with_sums(rest) if kind == 3 else rest)


def accepts(archive: bytes) -> bool:
    """Return whether an archive is accepted; every other end than a verdict is an error."""
    try:
        accepted = validate(read_image(io.BytesIO(archive)), [_MASTER]).accepted
    except PhtError:
        return False
    if accepted and not archive.startswith(b"\x1f\x8b"):
        assert ours(archive) == pythons(archive)
    return accepted


def ours(archive: bytes) -> Listing:
    """Return what our reader finds in a tar."""
    return [
        (entry.name.rstrip(b"/"), entry.kind, entry.size, entry.link)
        for entry in entries(Window(iter([archive])))
    ]


def pythons(archive: bytes) -> Listing:
    """Return what Python finds in a tar."""
    file = io.BytesIO(archive)
    with tarfile.open(fileobj=file, mode="r:", encoding="utf-8") as opened:
        return [(_raw(one.name), one.type, one.size, _raw(one.linkname)) for one in opened]


def with_sums(data: bytes) -> bytes:
    """Return a tar whose headers, found by their sizes, have right checksums.

    Otherwise nearly every change of a byte would end in the same refusal.
    """
    blocks = bytearray(data)
    at = 0
    while at + BLOCK <= len(blocks):
        header = blocks[at : at + BLOCK]
        if any(header):
            header[148:156] = b" " * 8
            blocks[at + 148 : at + 156] = b"%06o\0 " % sum(header)
        digits = bytes(header[124:136]).strip(b" \0")
        size = int(digits, 8) if digits.isdigit() and not digits.strip(b"01234567") else 0
        at += BLOCK + -(-size // BLOCK) * BLOCK
    return bytes(blocks)


def _accepts_layer(layer: bytes) -> bool:
    layers = [*MASTER_LAYERS, layer]
    accepted = accepts(docker_archive(layers, image_config(layers)))
    if accepted and not layer.startswith(b"\x1f\x8b"):
        assert ours(layer) == pythons(layer)
    return accepted


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")

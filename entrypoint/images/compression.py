"""Decompresses a stream in constant memory, recognised by its first bytes as engines do it."""

import re
import zlib
from collections.abc import Iterator
from importlib import import_module
from itertools import chain

from entrypoint.images.window import Window

_OUTPUT_BYTES = 256 * 1024
"""Size of the decompressed pieces, so that a bomb fills no memory."""

_INPUT_BYTES = 16 * 1024

_GZIP = b"\x1f\x8b\x08"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPED = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_OTHERS = (b"BZh", b"\xfd7zXZ\x00")
"""Beginnings of bzip2 and xz, which engines decompress even where they begin a tar."""

_MAGIC_BYTES = 6
_GZIP_ONLY = 31
"""The value of `wbits` for a gzip member with its header and checksum."""

_ZSTD_WINDOW_LOG = 23
"""Maximum window of a frame, 8 MiB: the format requires no more of a reader."""


class BadCompression(ValueError):
    """A compressed stream is damaged, or of a kind that this Python cannot read."""


def decompressed(window: Window) -> tuple[bool, Iterator[bytes | memoryview]]:
    """Return whether the rest of a stream is compressed, and its contents.

    The contents raise BadCompression while they are read.
    """
    head = window.take(_MAGIC_BYTES)
    stream = Window(chain([head], window.rest()))
    if head.startswith(_GZIP):
        return True, _gunzipped(stream)
    if head.startswith(_ZSTD):
        return True, _unzstd(stream)
    if head.startswith(_OTHERS) or _ZSTD_SKIPPED.match(head):
        return True, _of_other_kind()
    return False, stream.rest()


def _of_other_kind() -> Iterator[bytes]:
    raise BadCompression("it is compressed, or begins as if it were, and not with gzip or zstd")
    yield b""


def _slices(stream: Window) -> Iterator[memoryview]:
    """Yield small pieces: what a decompressor leaves of its input is copied."""
    for piece in stream.rest():
        for at in range(0, len(piece), _INPUT_BYTES):
            yield piece[at : at + _INPUT_BYTES]


def _gunzipped(stream: Window) -> Iterator[bytes]:
    """Yield the contents of all members that stand one behind the other, as all readers do."""
    member = None
    try:
        for piece in _slices(stream):
            data: bytes | memoryview = piece
            while data:
                member = member or zlib.decompressobj(wbits=_GZIP_ONLY)
                yield member.decompress(data, _OUTPUT_BYTES)
                data = member.unused_data if member.eof else member.unconsumed_tail
                member = None if member.eof else member
    except zlib.error as error:
        raise BadCompression(f"its gzip data are damaged: {error}") from None
    if member:
        raise BadCompression("its gzip data end too early")


def _unzstd(stream: Window) -> Iterator[bytes]:
    """Yield the contents of all frames that stand one behind the other, as all readers do."""
    try:
        zstd = import_module("compression.zstd")  # type checkers for older versions miss it
    except ImportError:
        raise BadCompression(
            "it is compressed with zstd, which Python reads from version 3.14 on"
        ) from None
    options = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    frame = None
    try:
        for piece in _slices(stream):
            data: bytes | memoryview = piece
            while data:
                frame = frame or zstd.ZstdDecompressor(options=options)
                yield frame.decompress(data, _OUTPUT_BYTES)
                while not (frame.eof or frame.needs_input):
                    yield frame.decompress(b"", _OUTPUT_BYTES)
                data = frame.unused_data
                frame = None if frame.eof else frame
    except zstd.ZstdError as error:
        raise BadCompression(f"its zstd data are damaged: {error}") from None
    if frame:
        raise BadCompression("its zstd data end too early")

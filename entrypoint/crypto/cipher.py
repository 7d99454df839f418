"""What the stages expect of a file cipher; each wire generation brings its own."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

IV_BYTES = 16
"""Length of every IV, in bytes."""


class InvalidCiphertext(Exception):
    """A file does not decrypt. There is one such error without detail, so that it tells nothing."""


class Stream(Protocol):
    """One file on its way through a cipher."""

    def update(self, data: bytes | memoryview, /) -> bytes:
        """Take the next bytes and return what is ready."""

    def finalize(self) -> bytes:
        """Return the rest; a decryptor raises InvalidCiphertext unless everything was authentic."""


Streams = tuple[Stream | None, Stream | None]
"""Two streams that a file passes one after the other: of a large file in two processes. A file is
hashed before the first in encrypting, after the second in decrypting, by the same process; there is
no stream in that one if hashing is as much work as all the rest."""

Piece = TypeVar("Piece", bytes, bytes | memoryview)


def through(streams: Iterable[Stream | None], pieces: Iterable[Piece]) -> Iterable[Piece]:
    """Return what streams make of a whole file; it passes those that are None unchanged."""
    for stream in streams:
        if stream:
            pieces = _through(stream, pieces)
    return pieces


def _through(stream: Stream, pieces: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    for piece in pieces:
        yield stream.update(piece)
    yield stream.finalize()


@dataclass(frozen=True)
class Cipher:
    """A way to encrypt files, each under the train's symmetric key and an IV of its own.

    Attributes:
        generate_key: returns a fresh random key in the form that envelopes carry.
        encryptor: starts to encrypt one file, given the key and a 16-byte IV.
        decryptor: starts to decrypt one file, given the key; what it returns is unverified until
            `finalize` of the last stream has succeeded.
        peek_iv: returns the IV of an encrypted file from its head, or None if it is no such file.
        head_bytes: how long the head is that `peek_iv` needs.
    """

    generate_key: Callable[[], bytes]
    encryptor: Callable[[bytes, bytes], Streams]
    decryptor: Callable[[bytes], Streams]
    peek_iv: Callable[[bytes], bytes | None]
    head_bytes: int

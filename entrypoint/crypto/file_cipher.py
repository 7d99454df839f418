"""The interface of file ciphers; each wire generation has its own."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from entrypoint.files.page_cache import Piece

IV_BYTES = 16
"""Length of every IV, in bytes."""


class InvalidCiphertext(Exception):
    """A file does not decrypt: one error for all reasons, so that nothing leaks."""


class Stream:
    """Transforms one file piece by piece; this base class leaves it unchanged."""

    def precompute(self, data: Piece) -> bytes:
        """Return what can be computed from the next piece without state, or nothing.

        Any process can do it. Never raises: `update` reports what is wrong with the piece.
        """
        return b""

    def update(self, data: Piece, precomputed: Piece = b"") -> Piece:
        """Return the output for the next piece, as far as it is ready; the rest comes later.

        Args:
            data: the piece.
            precomputed: what `precompute` returned for it, if it was called.

        Returns:
            If it is a memoryview, it is valid until the next call.
        """
        return data

    def finalize(self) -> bytes:
        """Return the rest; a decryptor raises InvalidCiphertext unless everything was valid."""
        return b""


def transform(stream: Stream, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the output of a stream for a whole file."""
    for piece in pieces:
        yield bytes(stream.update(piece))
    yield stream.finalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCipher:
    """Encrypts files, each under the train's symmetric key and an IV of its own.

    Attributes:
        generate_key: returns a fresh random key in the form that envelopes carry.
        encryptor: returns two streams that encrypt one file one after the other, given the key and
            a 16-byte IV. For a large file each runs in its own process, and the process of the
            first also hashes the plaintext.
        decryptor: returns the stream that decrypts one file, given the key. Its output is not
            authenticated before `finalize` has succeeded.
        decrypts_ahead: whether the process that reads a large file also decrypts it, because
            hashing takes as long as everything else; otherwise the process that hashes does, and
            only then may the stream precompute.
        sealed_bytes: returns the encrypted length of a file, given its length.
        peek_iv: returns the IV of an encrypted file, given its head; None if it is no such file.
        head_bytes: length of the head that `peek_iv` needs.
    """

    generate_key: Callable[[], bytes]
    encryptor: Callable[[bytes, bytes], tuple[Stream, Stream]]
    decryptor: Callable[[bytes], Stream]
    decrypts_ahead: bool
    sealed_bytes: Callable[[int], int]
    peek_iv: Callable[[bytes], bytes | None]
    head_bytes: int

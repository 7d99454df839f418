"""What the stages expect of a file cipher; each wire generation brings its own."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from entrypoint.files.page_cache import Piece

IV_BYTES = 16
"""Length of every IV, in bytes."""


class InvalidCiphertext(Exception):
    """A file does not decrypt. There is one such error without detail, so that it tells nothing."""


class Stream:
    """One file on its way through a step of a cipher; this one leaves it as it is."""

    def share(self, data: Piece) -> bytes:
        """Do the part of the work on the next bytes that needs no state; any process can do it.

        Returns:
            What is for `update`, or nothing. It raises nothing: `update` will see what is wrong.
        """
        return b""

    def update(self, data: Piece, shared: Piece = b"") -> Piece:
        """Take the next bytes, with what `share` made of them if it was asked; return the result.

        What has no result yet comes with one of the next calls. A memoryview is valid until then.
        """
        return data

    def finalize(self) -> bytes:
        """Return the rest; a decryptor raises InvalidCiphertext unless everything was authentic."""
        return b""


def through(stream: Stream, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what a stream makes of a whole file."""
    for piece in pieces:
        yield bytes(stream.update(piece))
    yield stream.finalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cipher:
    """A way to encrypt files, each under the train's symmetric key and an IV of its own.

    Attributes:
        generate_key: returns a fresh random key in the form that envelopes carry.
        encryptor: starts to encrypt one file, given the key and a 16-byte IV. The file passes both
            streams one after the other: a large one in two processes, the first of which hashes it.
        decryptor: starts to decrypt one file, given the key; what it returns is unverified until
            `finalize` has succeeded.
        decrypts_ahead: whether a large file is decrypted by the process that reads it, since
            hashing is as much work as all the rest; otherwise by the one that hashes it. Then alone
            the stream may share work.
        sealed_bytes: returns how long a file of a length is once it is encrypted.
        peek_iv: returns the IV of an encrypted file from its head, or None if it is no such file.
        head_bytes: how long the head is that `peek_iv` needs.
    """

    generate_key: Callable[[], bytes]
    encryptor: Callable[[bytes, bytes], tuple[Stream, Stream]]
    decryptor: Callable[[bytes], Stream]
    decrypts_ahead: bool
    sealed_bytes: Callable[[int], int]
    peek_iv: Callable[[bytes], bytes | None]
    head_bytes: int

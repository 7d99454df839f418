"""AES-256-CBC in constant memory (docs/protocol.md, "AES-256-CBC").

An encrypted file is

    IV, 16 | AES-256-CBC, PKCS #7 padding

Nothing authenticates it: what a decryptor returns is not even authentic when `finalize` has
succeeded, but only after the hash of all files has been verified.
"""

import os

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

from entrypoint.crypto.blocks import BLOCK_BYTES, Encryptor, Workspace, without_padding
from entrypoint.crypto.cipher import InvalidCiphertext, Stream
from entrypoint.files.page_cache import Piece

HEAD_BYTES = 16
"""How much of an encrypted file `peek_iv` needs, in bytes."""

_KEY_BYTES = 32


class InvalidBlocks(InvalidCiphertext):
    """A file is no whole number of blocks with good padding; which of it is wrong is not told."""


def generate_key() -> bytes:
    """Return a fresh random key, 32 bytes."""
    return os.urandom(_KEY_BYTES)


def sealed_bytes(size: int) -> int:
    """Return how long a file of `size` bytes is once it is encrypted."""
    return HEAD_BYTES + size // BLOCK_BYTES * BLOCK_BYTES + BLOCK_BYTES


def peek_iv(head: bytes) -> bytes | None:
    """Return the IV in the first `HEAD_BYTES` of a file, None if it is shorter."""
    return head[:HEAD_BYTES] if len(head) >= HEAD_BYTES else None


def encryptor(key: bytes, iv: bytes) -> tuple[Stream, Stream]:
    """Return the streams that encrypt a file: all is done by the second.

    Args:
        key: 32 bytes.
        iv: 16 bytes, fresh for every file under this key.

    Raises:
        ValueError: key or IV is malformed.
    """
    return Stream(), Encryptor(AES256(key), iv, head=iv)


def decryptor(key: bytes) -> Stream:
    """Return the stream that decrypts a file; it raises InvalidBlocks.

    Args:
        key: 32 bytes.

    Raises:
        ValueError: the key is malformed.
    """
    return _Decryptor(key)


class _Decryptor(Stream):
    """Decrypts one file that comes in pieces."""

    def __init__(self, key: bytes) -> None:
        self._algorithm = AES256(key)
        self._cipher: Workspace | None = None
        self._waiting = b""  # the IV as far as it has come, later the last block of plaintext

    def update(self, data: Piece, shared: Piece = b"") -> Piece:
        if self._cipher is None:
            self._waiting += data
            if len(self._waiting) < HEAD_BYTES:
                return b""
            iv, data = self._waiting[:HEAD_BYTES], self._waiting[HEAD_BYTES:]
            self._cipher = Workspace(Cipher(self._algorithm, CBC(iv)).decryptor())
            self._waiting = b""
        plaintext = self._cipher.update(data, self._waiting)
        self._waiting = bytes(plaintext[-BLOCK_BYTES:])  # it may be padding
        return plaintext[:-BLOCK_BYTES]

    def finalize(self) -> bytes:
        if self._cipher is None:
            raise InvalidBlocks
        try:
            self._cipher.finalize()
            return without_padding(self._waiting)
        except ValueError:
            raise InvalidBlocks from None

"""AES-256-CBC in constant memory (docs/protocol.md, "AES-256-CBC").

An encrypted file is

    IV, 16 | AES-256-CBC, PKCS #7 padding

Nothing in it authenticates it. The output of a decryptor is authentic only after the hash of all
files has been verified, not already when `finalize` has succeeded.
"""

import os

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

from entrypoint.crypto.file_cipher import InvalidCiphertext, Stream
from entrypoint.crypto.padded_cbc import BLOCK_BYTES, BufferedCipher, CbcEncryptor, without_padding
from entrypoint.files.page_cache import Piece

HEAD_BYTES = 16
"""Length of the head of an encrypted file that `peek_iv` needs, in bytes."""

_KEY_BYTES = 32


class InvalidBlocks(InvalidCiphertext):
    """A file is not a whole number of blocks with valid padding; it does not say which."""


def generate_key() -> bytes:
    """Return a fresh random key, 32 bytes."""
    return os.urandom(_KEY_BYTES)


def sealed_bytes(size: int) -> int:
    """Return the encrypted length of a file of `size` bytes."""
    return HEAD_BYTES + size // BLOCK_BYTES * BLOCK_BYTES + BLOCK_BYTES


def peek_iv(head: bytes) -> bytes | None:
    """Return the IV in the first `HEAD_BYTES` of a file, None if it is shorter."""
    return head[:HEAD_BYTES] if len(head) >= HEAD_BYTES else None


def encryptor(key: bytes, iv: bytes) -> tuple[Stream, Stream]:
    """Return the streams that encrypt a file; the first one does nothing.

    Args:
        key: 32 bytes.
        iv: 16 bytes, fresh for every file under this key.

    Raises:
        ValueError: key or IV is malformed.
    """
    return Stream(), CbcEncryptor(AES256(key), iv, head=iv)


def decryptor(key: bytes) -> Stream:
    """Return the stream that decrypts a file; it raises InvalidBlocks.

    Args:
        key: 32 bytes.

    Raises:
        ValueError: the key is malformed.
    """
    return _Decryptor(key)


class _Decryptor(Stream):
    """Decrypts one file."""

    def __init__(self, key: bytes) -> None:
        self._algorithm = AES256(key)
        self._cipher: BufferedCipher | None = None
        self._waiting = b""  # the IV until it is complete, then the last block of plaintext

    def update(self, data: Piece, precomputed: Piece = b"") -> Piece:
        if self._cipher is None:
            self._waiting += data
            if len(self._waiting) < HEAD_BYTES:
                return b""
            iv, data = self._waiting[:HEAD_BYTES], self._waiting[HEAD_BYTES:]
            self._cipher = BufferedCipher(Cipher(self._algorithm, CBC(iv)).decryptor())
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

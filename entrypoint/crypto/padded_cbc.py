"""AES in CBC mode with PKCS #7 padding, piece by piece: the basis of both file ciphers."""

from cryptography.hazmat.primitives.ciphers import (
    BlockCipherAlgorithm,
    Cipher,
    CipherContext,
)
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from entrypoint.crypto.file_cipher import Stream
from entrypoint.files.page_cache import Piece

BLOCK_BYTES = 16


class BufferedCipher:
    """A cipher with one output buffer, because a new one for each piece costs more than AES."""

    def __init__(self, context: CipherContext) -> None:
        self._context = context
        self._buffer = bytearray()

    def update(self, data: Piece, prefix: bytes = b"") -> memoryview:
        """Return `prefix` and the output for `data`; the next call overwrites it."""
        needed = len(prefix) + len(data) + BLOCK_BYTES - 1
        if len(self._buffer) < needed:
            self._buffer = bytearray(needed)
        whole = memoryview(self._buffer)
        whole[: len(prefix)] = prefix
        return whole[: len(prefix) + self._context.update_into(data, whole[len(prefix) :])]

    def finalize(self) -> None:
        """Raise ValueError unless the input was a whole number of blocks."""
        self._context.finalize()


class CbcEncryptor(Stream):
    """Encrypts one file: returns a head, then the blocks with their padding.

    Args:
        aes: with the key.
        iv: 16 bytes, fresh for every file under this key.
        head: stands before the blocks.
        multiple: every output but the last has a multiple of this length, in bytes.

    Raises:
        ValueError: the IV has another length.
    """

    def __init__(
        self, aes: BlockCipherAlgorithm, iv: bytes, *, head: bytes, multiple: int = 1
    ) -> None:
        self._cipher = BufferedCipher(Cipher(aes, CBC(iv)).encryptor())
        self._rest = head
        self._multiple = multiple
        self._plaintext_bytes = 0

    def update(self, data: Piece, precomputed: Piece = b"") -> memoryview:
        """Return the ciphertext that is ready."""
        self._plaintext_bytes += len(data)
        ready = self._cipher.update(data, self._rest)
        end = len(ready) - len(ready) % self._multiple
        self._rest = bytes(ready[end:])
        return ready[:end]

    def finalize(self) -> bytes:
        """Return the rest: whole blocks with the padding of PKCS #7 (RFC 5652, section 6.3)."""
        count = BLOCK_BYTES - self._plaintext_bytes % BLOCK_BYTES
        return bytes(self._cipher.update(bytes([count]) * count, self._rest))


def without_padding(last: bytes) -> bytes:
    """Return the last plaintext block without its padding; raise ValueError if that is invalid."""
    unpadder = PKCS7(8 * BLOCK_BYTES).unpadder()
    return unpadder.update(last) + unpadder.finalize()

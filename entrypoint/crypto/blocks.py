"""What the ciphers of both generations share: AES in CBC mode with PKCS #7 padding, in pieces."""

from cryptography.hazmat.primitives.ciphers import (
    BlockCipherAlgorithm,
    Cipher,
    CipherContext,
)
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

BLOCK_BYTES = 16


class Workspace:
    """A cipher with one buffer for all chunks, since a new one for each costs more than AES."""

    def __init__(self, context: CipherContext) -> None:
        self._context = context
        self._buffer = bytearray()

    def update(self, data: bytes | memoryview) -> memoryview:
        """Return what the cipher makes of `data`; overwritten by the next call."""
        room = len(data) + BLOCK_BYTES - 1
        if len(self._buffer) < room:
            self._buffer = bytearray(room)
        return memoryview(self._buffer)[: self._context.update_into(data, self._buffer)]

    def finalize(self) -> None:
        """Raise ValueError unless whole blocks have come."""
        self._context.finalize()


class Encryptor:
    """Encrypts one file that comes in pieces: the IV, then the blocks with their padding.

    Args:
        aes: with the key.
        iv: 16 bytes, fresh for every file under this key.

    Raises:
        ValueError: the IV has another length.
    """

    def __init__(self, aes: BlockCipherAlgorithm, iv: bytes) -> None:
        self._cipher = Workspace(Cipher(aes, CBC(iv)).encryptor())
        self._head = iv
        self._plaintext_bytes = 0

    def update(self, data: bytes | memoryview) -> bytes:
        """Take the next plaintext and return what is ready."""
        head, self._head = self._head, b""
        self._plaintext_bytes += len(data)
        return head + self._cipher.update(data)

    def finalize(self) -> bytes:
        """Return the rest: whole blocks with the padding of PKCS #7 (RFC 5652, section 6.3)."""
        count = BLOCK_BYTES - self._plaintext_bytes % BLOCK_BYTES
        return self.update(bytes([count]) * count)


def without_padding(last: bytes) -> bytes:
    """Return the last block of a plaintext without its padding; raise ValueError if that is bad."""
    unpadder = PKCS7(8 * BLOCK_BYTES).unpadder()
    return unpadder.update(last) + unpadder.finalize()

"""What the ciphers of both generations share: AES in CBC mode with PKCS #7 padding, in pieces."""

from cryptography.hazmat.primitives.ciphers import (
    BlockCipherAlgorithm,
    Cipher,
    CipherContext,
)
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from entrypoint.crypto.cipher import Stream
from entrypoint.files.page_cache import Piece

BLOCK_BYTES = 16


class Workspace:
    """A cipher with one buffer for all chunks, since a new one for each costs more than AES."""

    def __init__(self, context: CipherContext) -> None:
        self._context = context
        self._buffer = bytearray()

    def update(self, data: Piece, head: bytes = b"") -> memoryview:
        """Return `head` and what the cipher makes of `data`; overwritten by the next call."""
        room = len(head) + len(data) + BLOCK_BYTES - 1
        if len(self._buffer) < room:
            self._buffer = bytearray(room)
        whole = memoryview(self._buffer)
        whole[: len(head)] = head
        return whole[: len(head) + self._context.update_into(data, whole[len(head) :])]

    def finalize(self) -> None:
        """Raise ValueError unless whole blocks have come."""
        self._context.finalize()


class Encryptor(Stream):
    """Encrypts one file that comes in pieces: a head, then the blocks with their padding.

    Args:
        aes: with the key.
        iv: 16 bytes, fresh for every file under this key.
        head: what stands before the blocks.
        step: before the end, everything comes in multiples of so many bytes.

    Raises:
        ValueError: the IV has another length.
    """

    def __init__(self, aes: BlockCipherAlgorithm, iv: bytes, *, head: bytes, step: int = 1) -> None:
        self._cipher = Workspace(Cipher(aes, CBC(iv)).encryptor())
        self._rest = head
        self._step = step
        self._plaintext_bytes = 0

    def update(self, data: Piece, shared: Piece = b"") -> memoryview:
        """Take the next plaintext and return what is ready."""
        self._plaintext_bytes += len(data)
        ready = self._cipher.update(data, self._rest)
        end = len(ready) - len(ready) % self._step
        self._rest = bytes(ready[end:])
        return ready[:end]

    def finalize(self) -> bytes:
        """Return the rest: whole blocks with the padding of PKCS #7 (RFC 5652, section 6.3)."""
        count = BLOCK_BYTES - self._plaintext_bytes % BLOCK_BYTES
        return bytes(self._cipher.update(bytes([count]) * count, self._rest))


def without_padding(last: bytes) -> bytes:
    """Return the last block of a plaintext without its padding; raise ValueError if that is bad."""
    unpadder = PKCS7(8 * BLOCK_BYTES).unpadder()
    return unpadder.update(last) + unpadder.finalize()

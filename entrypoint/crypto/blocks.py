"""What the ciphers of both generations share: AES in CBC mode over pieces, and its padding."""

from cryptography.hazmat.primitives.ciphers import CipherContext
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


def padding_for(size: int) -> bytes:
    """Return what stands behind a plaintext of `size` bytes (PKCS #7, RFC 5652, section 6.3)."""
    count = BLOCK_BYTES - size % BLOCK_BYTES
    return bytes([count]) * count


def without_padding(last: bytes) -> bytes:
    """Return the last block of a plaintext without its padding; raise ValueError if that is bad."""
    unpadder = PKCS7(8 * BLOCK_BYTES).unpadder()
    return unpadder.update(last) + unpadder.finalize()

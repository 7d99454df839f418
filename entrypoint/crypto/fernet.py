"""Fernet tokens in constant memory (docs/protocol.md, "Fernet").

A token is base64 with the urlsafe alphabet (RFC 4648, section 5) of

    version 0x80 | timestamp, 8 | IV, 16 | AES-128-CBC, PKCS #7 padding | HMAC-SHA256 of all before

`cryptography.fernet` holds a whole file in memory, several times; here it comes in pieces of any
size. Reading is strict: of each token one spelling is accepted, so that no byte of a file can be
changed unnoticed. `cryptography` skips foreign characters and ignores unused bits of the last one,
hence what is accepted here decrypts there to the same bytes, but not the reverse.
"""

import binascii
import hmac
import os

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from entrypoint.crypto.cipher import InvalidCiphertext

HEAD_BYTES = 36
"""How much of a token `peek_iv` needs, in bytes (characters)."""

_VERSION = b"\x80"
_TIMESTAMP = bytes(8)  # no reader looks at it, and when a station sealed is nobody's business
_BLOCK_BYTES = 16
_MAC_BYTES = 32
_PREFIX_BYTES = len(_VERSION + _TIMESTAMP) + _BLOCK_BYTES
_TAIL_CHARACTERS = 48  # 34 bytes or more: the HMAC, and before it some of the last block


class InvalidToken(InvalidCiphertext):
    """A token is not accepted. All faults look the same, so that none serves as an oracle."""


def generate_key() -> bytes:
    """Return a fresh random key, 44 ASCII characters."""
    return _encode(os.urandom(32))


def peek_iv(head: bytes) -> bytes | None:
    """Return the IV (16 bytes, unauthenticated) in the first `HEAD_BYTES` of a token, else None."""
    try:
        return _iv(_decode_inner(head[:HEAD_BYTES]))
    except InvalidToken:
        return None


class Encryptor:
    """Makes one token of plaintext that comes in pieces.

    Args:
        key: 44 ASCII characters, as `generate_key` returns them.
        iv: 16 bytes, fresh for every token under this key.

    Raises:
        ValueError: key or IV is malformed.
    """

    def __init__(self, key: bytes, iv: bytes) -> None:
        signing_key, encryption_key = _halves(key)
        self._cipher = _Workspace(Cipher(AES128(encryption_key), CBC(iv)).encryptor())
        self._unencoded = _VERSION + _TIMESTAMP + iv
        self._mac = hmac.new(signing_key, self._unencoded, "sha256")
        self._plaintext_bytes = 0

    def update(self, data: bytes) -> bytes:
        """Take the next plaintext and return the characters that are ready."""
        self._plaintext_bytes += len(data)
        raw = self._cipher.update(data, front=self._unencoded)
        self._mac.update(raw[len(self._unencoded) :])
        end = len(raw) // 3 * 3  # three bytes make four characters
        self._unencoded = bytes(raw[end:])
        return _encode(raw[:end])

    def finalize(self) -> bytes:
        """Return the rest of the token."""
        count = _BLOCK_BYTES - self._plaintext_bytes % _BLOCK_BYTES
        last = self.update(bytes([count]) * count)
        return last + _encode(self._unencoded + self._mac.digest())


class Decryptor:
    """Opens one token that comes in pieces.

    `update` returns plaintext that is not authenticated yet: keep it private, and discard it unless
    `finalize` succeeds.

    Args:
        key: 44 ASCII characters.

    Raises:
        ValueError: the key is malformed.
    """

    def __init__(self, key: bytes) -> None:
        signing_key, self._encryption_key = _halves(key)
        self._mac = hmac.new(signing_key, digestmod="sha256")
        self._cipher: _Workspace | None = None
        self._undecoded = b""
        self._raw_bytes = 0

    def update(self, data: bytes) -> bytes:
        """Take the next characters and return unauthenticated plaintext.

        Raises:
            InvalidToken: this is no token, as anyone can see without the key.
        """
        self._undecoded += data
        # What may be the token's end waits: only there the HMAC and "=" are in their place.
        end = (len(self._undecoded) - _TAIL_CHARACTERS) // 4 * 4
        if end < HEAD_BYTES:
            return b""
        piece, self._undecoded = self._undecoded[:end], self._undecoded[end:]
        return self._decrypt(_decode_inner(piece))

    def finalize(self) -> bytes:
        """Return the rest of the plaintext; all of it is authentic now.

        Raises:
            InvalidToken: the token is not authentic, complete and well formed.
        """
        tail = _decode_end(self._undecoded)
        last = self._decrypt(tail[:-_MAC_BYTES])
        # The HMAC comes first: a verdict on the padding of forged blocks would reveal plaintext.
        if not hmac.compare_digest(self._mac.digest(), tail[-_MAC_BYTES:]):
            raise InvalidToken
        if (self._raw_bytes - _PREFIX_BYTES) % _BLOCK_BYTES:
            raise InvalidToken
        unpadder = PKCS7(8 * _BLOCK_BYTES).unpadder()
        try:
            return unpadder.update(last) + unpadder.finalize()
        except ValueError:
            raise InvalidToken from None

    def _decrypt(self, raw: bytes) -> bytes:
        self._mac.update(raw)
        self._raw_bytes += len(raw)
        if self._cipher is None:
            aes = AES128(self._encryption_key)
            self._cipher = _Workspace(Cipher(aes, CBC(_iv(raw))).decryptor())
            raw = raw[_PREFIX_BYTES:]
        return bytes(self._cipher.update(raw))


class _Workspace:
    """A cipher with one buffer for all chunks, since a new one for each costs more than AES."""

    def __init__(self, context: CipherContext) -> None:
        self._context = context
        self._buffer = bytearray()

    def update(self, data: bytes, front: bytes = b"") -> memoryview:
        """Return `front` and what the cipher makes of `data`; overwritten by the next call."""
        start = len(front)
        room = start + len(data) + _BLOCK_BYTES - 1
        if len(self._buffer) < room:
            self._buffer = bytearray(room)
        view = memoryview(self._buffer)
        view[:start] = front
        return view[: start + self._context.update_into(data, view[start:])]


def _halves(key: bytes) -> tuple[bytes, bytes]:
    """Return the signing and the encryption half of a key, 16 bytes each."""
    try:
        raw = _decode_end(key)
    except InvalidToken:
        raw = b""
    if len(raw) != 32:
        raise ValueError("a Fernet key is the urlsafe base64 of 32 bytes")
    return raw[:16], raw[16:]


def _iv(raw: bytes) -> bytes:
    if len(raw) < _PREFIX_BYTES or not raw.startswith(_VERSION):
        raise InvalidToken
    return raw[_PREFIX_BYTES - _BLOCK_BYTES : _PREFIX_BYTES]


def _encode(raw: bytes | memoryview) -> bytes:
    # Three times as fast as `translate` while the text fits into a cache of the processor.
    return binascii.b2a_base64(raw, newline=False).replace(b"+", b"-").replace(b"/", b"_")


def _decode_inner(text: bytes) -> bytes:
    """Decode whole quanta from before the end, where "=" has no place."""
    raw = _decode(text)
    if len(raw) * 4 != len(text) * 3:
        raise InvalidToken
    return raw


def _decode_end(text: bytes) -> bytes:
    """Decode up to the end, refusing all spellings of the bytes but the canonical one."""
    raw = _decode(text)
    if _encode(raw) != text:
        raise InvalidToken
    return raw


def _decode(text: bytes) -> bytes:
    if b"+" in text or b"/" in text:
        raise InvalidToken
    try:
        standard = text.replace(b"-", b"+").replace(b"_", b"/")
        return binascii.a2b_base64(standard, strict_mode=True)
    except binascii.Error:
        raise InvalidToken from None

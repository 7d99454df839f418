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

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC

from entrypoint.crypto.blocks import BLOCK_BYTES, Encryptor, Workspace, without_padding
from entrypoint.crypto.cipher import InvalidCiphertext, Streams

HEAD_BYTES = 36
"""How much of a token `peek_iv` needs, in bytes (characters)."""

_VERSION = b"\x80"
_TIMESTAMP = bytes(8)  # no reader looks at it, and when a station sealed is nobody's business
_MAC_BYTES = 32
_PREFIX_BYTES = len(_VERSION + _TIMESTAMP) + BLOCK_BYTES
_TAIL_BYTES = BLOCK_BYTES + _MAC_BYTES  # the last block, whose padding is removed, and the HMAC


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


def encryptor(key: bytes, iv: bytes) -> Streams:
    """Return the streams that make a token of a file.

    Args:
        key: 44 ASCII characters, as `generate_key` returns them.
        iv: 16 bytes, fresh for every token under this key.

    Raises:
        ValueError: key or IV is malformed.
    """
    signing_key, encryption_key = _halves(key)
    return Encryptor(AES128(encryption_key), iv), _Encoder(signing_key)


def decryptor(key: bytes) -> Streams:
    """Return the streams that open a token; both raise InvalidToken.

    What they return is not authenticated before the end: keep it private, and discard it unless
    `finalize` of the second succeeds.

    Args:
        key: 44 ASCII characters.

    Raises:
        ValueError: the key is malformed.
    """
    return _Decoder(), _Decryptor(key)


class _Encoder:
    """Makes one token of an IV and what is encrypted under it: HMAC and base64."""

    def __init__(self, signing_key: bytes) -> None:
        self._rest = _VERSION + _TIMESTAMP
        self._mac = hmac.new(signing_key, self._rest, "sha256")

    def update(self, data: bytes | memoryview) -> bytes:
        self._mac.update(data)
        raw = self._rest + data
        end = len(raw) // 3 * 3  # three bytes make four characters
        self._rest = raw[end:]
        return _encode(memoryview(raw)[:end])

    def finalize(self) -> bytes:
        return _encode(self._rest + self._mac.digest())


class _Decoder:
    """Reads the base64 of one token."""

    def __init__(self) -> None:
        self._rest = b""

    def update(self, data: bytes | memoryview) -> bytes:
        text = self._rest + data
        end = max(0, (len(text) - 1) // 4 * 4)  # what may be the end waits: only there "=" may be
        self._rest = text[end:]
        return _decode_inner(text[:end])

    def finalize(self) -> bytes:
        return _decode_end(self._rest)


class _Decryptor:
    """Opens the bytes of one token."""

    def __init__(self, key: bytes) -> None:
        signing_key, self._encryption_key = _halves(key)
        self._mac = hmac.new(signing_key, digestmod="sha256")
        self._cipher: Workspace | None = None
        self._rest = b""
        self._raw_bytes = 0

    def update(self, data: bytes | memoryview) -> bytes:
        raw = self._rest + data
        end = len(raw) - _TAIL_BYTES
        if self._cipher is None and end < _PREFIX_BYTES:
            self._rest = raw
            return b""
        self._rest = raw[end:]
        return self._decrypt(memoryview(raw)[:end])

    def finalize(self) -> bytes:
        mac = self._rest[-_MAC_BYTES:]
        last = self._decrypt(self._rest[:-_MAC_BYTES])
        # The HMAC comes first: a verdict on the padding of forged blocks would reveal plaintext.
        if not hmac.compare_digest(self._mac.digest(), mac):
            raise InvalidToken
        if (self._raw_bytes - _PREFIX_BYTES) % BLOCK_BYTES:
            raise InvalidToken
        try:
            return without_padding(last)
        except ValueError:
            raise InvalidToken from None

    def _decrypt(self, raw: bytes | memoryview) -> bytes:
        self._mac.update(raw)
        self._raw_bytes += len(raw)
        if self._cipher is None:
            aes = AES128(self._encryption_key)
            self._cipher = Workspace(Cipher(aes, CBC(_iv(raw))).decryptor())
            raw = raw[_PREFIX_BYTES:]
        return bytes(self._cipher.update(raw))


def _halves(key: bytes) -> tuple[bytes, bytes]:
    """Return the signing and the encryption half of a key, 16 bytes each."""
    try:
        raw = _decode_end(key)
    except InvalidToken:
        raw = b""
    if len(raw) != 32:
        raise ValueError("a Fernet key is the urlsafe base64 of 32 bytes")
    return raw[:16], raw[16:]


def _iv(raw: bytes | memoryview) -> bytes:
    if len(raw) < _PREFIX_BYTES or raw[:1] != _VERSION:
        raise InvalidToken
    return bytes(raw[_PREFIX_BYTES - BLOCK_BYTES : _PREFIX_BYTES])


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

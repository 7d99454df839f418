"""Fernet tokens in constant memory (docs/protocol.md, "Fernet").

A token is base64 with the urlsafe alphabet (RFC 4648, section 5) of

    version 0x80 | timestamp, 8 | IV, 16 | AES-128-CBC, PKCS #7 padding | HMAC-SHA256 of all before

`cryptography.fernet` holds a whole file in memory several times; these streams take pieces of any
size. Decoding is strict: each token has one accepted spelling, so that no byte of a file can be
changed unnoticed. `cryptography` skips foreign characters and ignores unused bits of the last one:
it decrypts every token that is accepted here to the same bytes, but not the reverse.
"""

import binascii
import os

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from entrypoint.crypto.file_cipher import InvalidCiphertext, Stream
from entrypoint.crypto.padded_cbc import BLOCK_BYTES, BufferedCipher, CbcEncryptor, without_padding
from entrypoint.files.page_cache import Piece

HEAD_BYTES = 36
"""Length of the head of a token that `peek_iv` needs, in bytes (characters)."""

# base64 encodes a group of 3 bytes as a quantum of 4 characters.
_GROUP = 3
_QUANTUM = 4

_VERSION = b"\x80"
_TIMESTAMP = bytes(8)  # no reader uses it, and it would reveal when a station sealed
_MAC_BYTES = 32
_PREFIX_BYTES = len(_VERSION + _TIMESTAMP) + BLOCK_BYTES
_TAIL_BYTES = BLOCK_BYTES + _MAC_BYTES  # the last block, whose padding is removed, and the HMAC


class InvalidToken(InvalidCiphertext):
    """A token is not accepted. All faults look the same, so that none is an oracle."""


def generate_key() -> bytes:
    """Return a fresh random key, 44 ASCII characters."""
    return _encode(os.urandom(32))


def sealed_bytes(size: int) -> int:
    """Return the length of the token of a file of `size` bytes."""
    raw = _PREFIX_BYTES + size // BLOCK_BYTES * BLOCK_BYTES + _TAIL_BYTES
    return -(-raw // _GROUP) * _QUANTUM


def peek_iv(head: bytes) -> bytes | None:
    """Return the IV (16 bytes, unauthenticated) in the first `HEAD_BYTES` of a token, else None."""
    try:
        raw = _decode(head[:HEAD_BYTES])
        return _iv(raw) if len(raw) % _GROUP == 0 else None
    except InvalidToken:
        return None


def encryptor(key: bytes, iv: bytes) -> tuple[Stream, Stream]:
    """Return the streams that encrypt a file to a token: AES, then HMAC and base64.

    Args:
        key: 44 ASCII characters, as `generate_key` returns them.
        iv: 16 bytes, fresh for every token under this key.

    Raises:
        ValueError: key or IV is malformed.
    """
    signing_key, encryption_key = _halves(key)
    head = _VERSION + _TIMESTAMP + iv
    encryptor = CbcEncryptor(AES128(encryption_key), iv, head=head, multiple=_GROUP)
    return encryptor, _Encoder(signing_key)


def decryptor(key: bytes) -> Stream:
    """Return the stream that decrypts a token; it raises InvalidToken.

    Its output is not authenticated before the end: keep it private, and discard it unless
    `finalize` succeeds.

    Args:
        key: 44 ASCII characters.

    Raises:
        ValueError: the key is malformed.
    """
    return _Decryptor(key)


class _Encoder(Stream):
    """Makes a token of its unencoded head and blocks: adds the HMAC and encodes all in base64."""

    def __init__(self, signing_key: bytes) -> None:
        self._mac = HMAC(signing_key, SHA256())
        self._rest = b""

    def precompute(self, data: Piece) -> bytes:
        return _encode(data[: len(data) // _GROUP * _GROUP])

    def update(self, data: Piece, precomputed: Piece = b"") -> Piece:
        self._mac.update(data)
        if self._rest:  # the precomputed part begins with `data`
            data, precomputed = self._rest + data, b""
        end = len(data) // _GROUP * _GROUP
        self._rest = bytes(data[end:])
        return precomputed or _encode(data[:end])

    def finalize(self) -> bytes:
        return _encode(self._rest + self._mac.finalize())


class _Decoder:
    """Decodes the base64 of one token."""

    def __init__(self) -> None:
        self._rest = b""
        self._ended = False

    def update(self, text: Piece, precomputed: Piece) -> Piece:
        if self._rest:  # the precomputed part begins with `text`
            text, precomputed = self._rest + text, b""
        end = len(text) // _QUANTUM * _QUANTUM
        self._rest = bytes(text[end:])
        raw = precomputed or _decode(text[:end])
        if self._ended and raw:
            raise InvalidToken
        self._ended |= len(raw) % _GROUP != 0
        return raw

    def finalize(self) -> None:
        if self._rest:
            raise InvalidToken


class _Decryptor(Stream):
    """Decrypts one token."""

    def __init__(self, key: bytes) -> None:
        signing_key, self._encryption_key = _halves(key)
        self._decoder = _Decoder()
        self._mac = HMAC(signing_key, SHA256())
        self._cipher: BufferedCipher | None = None
        self._rest = b""
        self._raw_bytes = 0

    def precompute(self, data: Piece) -> bytes:
        try:
            return _decode(data)
        except InvalidToken:
            return b""

    def update(self, data: Piece, precomputed: Piece = b"") -> Piece:
        raw = self._rest + self._decoder.update(data, precomputed)
        end = len(raw) - _TAIL_BYTES
        if self._cipher is None and end < _PREFIX_BYTES:
            self._rest = raw
            return b""
        self._rest = raw[end:]
        return self._decrypt(memoryview(raw)[:end])

    def finalize(self) -> bytes:
        self._decoder.finalize()
        mac = self._rest[-_MAC_BYTES:]
        last = bytes(self._decrypt(self._rest[:-_MAC_BYTES]))
        # The HMAC comes first: whether the padding of forged blocks is valid reveals plaintext.
        try:
            self._mac.verify(mac)
        except InvalidSignature:
            raise InvalidToken from None
        if (self._raw_bytes - _PREFIX_BYTES) % BLOCK_BYTES:
            raise InvalidToken
        try:
            return without_padding(last)
        except ValueError:
            raise InvalidToken from None

    def _decrypt(self, raw: Piece) -> memoryview:
        self._mac.update(raw)
        self._raw_bytes += len(raw)
        if self._cipher is None:
            aes = AES128(self._encryption_key)
            self._cipher = BufferedCipher(Cipher(aes, CBC(_iv(raw))).decryptor())
            raw = raw[_PREFIX_BYTES:]
        return self._cipher.update(raw)


def _halves(key: bytes) -> tuple[bytes, bytes]:
    """Return the signing and the encryption half of a key, 16 bytes each."""
    try:
        raw = _decode(key)
    except InvalidToken:
        raw = b""
    if len(raw) != 32:
        raise ValueError("a Fernet key is the urlsafe base64 of 32 bytes")
    return raw[:16], raw[16:]


def _iv(raw: Piece) -> bytes:
    if len(raw) < _PREFIX_BYTES or raw[:1] != _VERSION:
        raise InvalidToken
    return bytes(raw[_PREFIX_BYTES - BLOCK_BYTES : _PREFIX_BYTES])


def _encode(raw: Piece) -> bytes:
    # Three times as fast as `translate` while the text fits into a CPU cache.
    return binascii.b2a_base64(raw, newline=False).replace(b"+", b"-").replace(b"/", b"_")


def _decode(text: Piece) -> bytes:
    """Decode whole quanta; raise InvalidToken for any but the canonical spelling."""
    text = bytes(text)
    if b"+" in text or b"/" in text:
        raise InvalidToken
    try:
        standard = text.replace(b"-", b"+").replace(b"_", b"/")
        raw = binascii.a2b_base64(standard, strict_mode=True)
    except binascii.Error:
        raise InvalidToken from None
    # Strict mode accepts more "=" at the end, and ignores unused bits of the last character.
    quanta = -(-len(raw) // _GROUP)
    odd = len(raw) % _GROUP
    if len(text) != quanta * _QUANTUM or (odd and _encode(raw[-odd:]) != text[-_QUANTUM:]):
        raise InvalidToken
    return raw

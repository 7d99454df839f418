"""The straightforward program: one process, one pass over each file.

It uses the standard library and `cryptography`, needs constant memory, and replaces each file by a
new one. It keeps no backup and flushes nothing.
"""

import hashlib
import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128, AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

CHUNK_BYTES = 96 * 1024
HEAD_CHARACTERS = 36  # version, timestamp and IV, and two bytes more to end with a character
PREFIX_BYTES = 25
MAC_BYTES = 32
IV_BYTES = 16
BLOCK_BITS = 128


Pieces = Iterator[bytes]
Hashed = Callable[[Pieces], Pieces]


def open_flat(paths: list[str], key: bytes, session_id: bytes) -> bytes:
    """Decrypt files in place and return the result hash; a forged one is a ValueError."""
    return _rewrite(paths, session_id, lambda file, hashed: hashed(_opened(file, key)))


def seal_flat(paths: list[str], key: bytes, session_id: bytes) -> bytes:
    """Encrypt files in place and return the result hash."""
    return _rewrite(paths, session_id, lambda file, hashed: _token(hashed(_chunks(file)), key))


def open_route(paths: list[str], key: bytes, session_id: bytes) -> bytes:
    """Decrypt files in place and return the result hash."""
    return _rewrite(paths, session_id, lambda file, hashed: hashed(_decrypted(file, key)))


def seal_route(paths: list[str], key: bytes, session_id: bytes) -> bytes:
    """Encrypt files in place and return the result hash."""
    return _rewrite(paths, session_id, lambda file, hashed: _encrypted(hashed(_chunks(file)), key))


FLAT = {"pre-run": open_flat, "post-run": seal_flat}
ROUTE = {"pre-run": open_route, "post-run": seal_route}


def _rewrite(
    paths: list[str], session_id: bytes, change: Callable[[IO[bytes], Hashed], Pieces]
) -> bytes:
    digest = hashlib.sha512()

    def hashed(plaintext: Pieces) -> Pieces:
        for piece in plaintext:
            digest.update(piece)
            yield piece

    for path in paths:
        with open(path, "rb") as old, open(path + ".new", "wb") as new:
            new.writelines(change(old, hashed))
        os.replace(path + ".new", path)
    digest.update(session_id)
    return digest.digest()


def _chunks(file: IO[bytes]) -> Pieces:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _token(plaintext: Iterable[bytes], key: bytes) -> Pieces:
    rest = b""
    for piece in _aes_128(plaintext, urlsafe_b64decode(key)):
        rest += piece
        end = len(rest) // 3 * 3
        yield urlsafe_b64encode(rest[:end])
        rest = rest[end:]
    yield urlsafe_b64encode(rest)


def _aes_128(plaintext: Iterable[bytes], key: bytes) -> Pieces:
    iv = os.urandom(IV_BYTES)
    encryptor = Cipher(AES128(key[16:]), CBC(iv)).encryptor()
    padder = PKCS7(BLOCK_BITS).padder()
    head = b"\x80" + bytes(8) + iv
    mac = hmac.new(key[:16], head, "sha256")
    yield head
    for chunk in plaintext:
        piece = encryptor.update(padder.update(chunk))
        mac.update(piece)
        yield piece
    last = encryptor.update(padder.finalize()) + encryptor.finalize()
    mac.update(last)
    yield last + mac.digest()


def _opened(token: IO[bytes], key: bytes) -> Pieces:
    raw_key = urlsafe_b64decode(key)
    head = urlsafe_b64decode(token.read(HEAD_CHARACTERS))
    decryptor = Cipher(AES128(raw_key[16:]), CBC(head[9:PREFIX_BYTES])).decryptor()
    unpadder = PKCS7(BLOCK_BITS).unpadder()
    mac = hmac.new(raw_key[:16], head, "sha256")
    yield unpadder.update(decryptor.update(head[PREFIX_BYTES:]))
    last = b""
    for text in _chunks(token):
        raw = last + urlsafe_b64decode(text)
        piece, last = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
        mac.update(piece)
        yield unpadder.update(decryptor.update(piece))
    if not hmac.compare_digest(mac.digest(), last):
        raise ValueError("a file is not authentic")
    yield unpadder.update(decryptor.finalize()) + unpadder.finalize()


def _encrypted(plaintext: Iterable[bytes], key: bytes) -> Pieces:
    iv = os.urandom(IV_BYTES)
    encryptor = Cipher(AES256(key), CBC(iv)).encryptor()
    padder = PKCS7(BLOCK_BITS).padder()
    yield iv
    for chunk in plaintext:
        yield encryptor.update(padder.update(chunk))
    yield encryptor.update(padder.finalize()) + encryptor.finalize()


def _decrypted(file: IO[bytes], key: bytes) -> Pieces:
    decryptor = Cipher(AES256(key), CBC(file.read(IV_BYTES))).decryptor()
    unpadder = PKCS7(BLOCK_BITS).unpadder()
    for chunk in _chunks(file):
        yield unpadder.update(decryptor.update(chunk))
    yield unpadder.update(decryptor.finalize()) + unpadder.finalize()

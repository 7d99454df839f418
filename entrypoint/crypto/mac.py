"""Authenticates state that is stored where a train could tamper with it."""

import os
from collections.abc import Iterable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from entrypoint.crypto.keys import PrivateKey

_JOURNAL_CONTEXT = b"pht visit journal, HMAC-SHA256, version 1"
_BACKUP_CONTEXT = b"pht backup, AES-256-GMAC, version 1"
_SALT_BYTES = 16
_NONCE = bytes(12)  # constant: every key authenticates one message


def journal_key(key: PrivateKey) -> bytes:
    """Derive the 32-byte key that authenticates the journal (docs/crash-safety.md).

    HKDF (RFC 5869) over the private exponent: only the holder of the private key can make or
    check a journal, and the journal reveals nothing about the private key.
    """
    exponent = key.private_numbers().d
    secret = exponent.to_bytes((exponent.bit_length() + 7) // 8, "big")
    return HKDF(hashes.SHA256(), 32, salt=None, info=_JOURNAL_CONTEXT).derive(secret)


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Return the HMAC-SHA256 (RFC 2104) of a message, 32 bytes."""
    mac = HMAC(key, hashes.SHA256())
    mac.update(message)
    return mac.finalize()


class OneTimeMac:
    """AES-256-GMAC (NIST SP 800-38D, section 3) of one message, under a key derived for it alone.

    Args:
        key: 32 bytes, from which HKDF (RFC 5869) derives the key of this message.
        salt: of the derivation, 16 bytes; random if left out.
    """

    def __init__(self, key: bytes, salt: bytes | None = None) -> None:
        self._salt = os.urandom(_SALT_BYTES) if salt is None else salt
        own = HKDF(hashes.SHA256(), 32, salt=self._salt, info=_BACKUP_CONTEXT).derive(key)
        self._gmac = Cipher(AES256(own), GCM(_NONCE)).encryptor()

    def update(self, data: bytes | memoryview) -> None:
        """Append to the message."""
        self._gmac.authenticate_additional_data(data)

    def finalize(self) -> bytes:
        """Return the salt and the tag, 16 bytes each."""
        self._gmac.finalize()
        return self._salt + self._gmac.tag


def is_authentic(message: Iterable[bytes], tag: bytes, key: bytes) -> bool:
    """Return whether `tag` is what `OneTimeMac` returns for a message, in pieces, under this key.

    Compares in constant time.
    """
    mac = OneTimeMac(key, tag[:_SALT_BYTES])
    for piece in message:
        mac.update(piece)
    return bytes_eq(mac.finalize(), tag)

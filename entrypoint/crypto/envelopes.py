"""Envelopes: symmetric keys encrypted with RSA-OAEP (docs/protocol.md, "Envelopes")."""

from contextlib import suppress

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from entrypoint.crypto.file_cipher import FileCipher
from entrypoint.crypto.keys import PrivateKey, PublicKey

_OAEP = padding.OAEP(padding.MGF1(hashes.SHA512()), hashes.SHA512(), label=None)


def wrap(key: PublicKey, secret: bytes) -> bytes:
    """Return the envelope of `secret` for the owner of `key`."""
    return key.encrypt(secret, _OAEP)


def unwrap(key: PrivateKey, envelope: bytes) -> bytes | None:
    """Return the contents of an envelope, or None if this key does not open it."""
    try:
        return key.decrypt(envelope, _OAEP)
    except ValueError:
        return None


def open_envelope(key: PrivateKey, envelope: bytes, cipher: FileCipher) -> bytes:
    """Return the symmetric key in an envelope, or a random one if there is none.

    A forged envelope then looks like any other forgery: the files fail to decrypt
    (docs/security.md, "No oracle").
    """
    symmetric_key = unwrap(key, envelope)
    if symmetric_key is not None:
        with suppress(ValueError):  # the contents may be no key
            cipher.decryptor(symmetric_key)
            return symmetric_key
    return cipher.generate_key()

"""Signatures and envelopes as docs/protocol.md has them, for the readings in `reference*.py`.

Like those, it imports nothing of this project. Keys are PEM, in a configuration hex of PEM.
"""

from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils


class Refused(Exception):
    """A hash, a signature or a file is not what the protocol says."""


def require(condition: bool, otherwise: str) -> None:
    """Raise Refused with the message `otherwise` unless the condition holds."""
    if not condition:
        raise Refused(otherwise)


_MGF = padding.MGF1(hashes.SHA512())
_OAEP = padding.OAEP(_MGF, hashes.SHA512(), label=None)
_PREHASHED = utils.Prehashed(hashes.SHA512())


def _pss(key: rsa.RSAPublicKey) -> padding.PSS:
    encoded_length = (key.key_size - 1 + 7) // 8
    return padding.PSS(_MGF, encoded_length - 64 - 2)


def sign(key: rsa.RSAPrivateKey, digest: bytes) -> str:
    """Return the PSS signature of a hash, in hex."""
    return key.sign(digest, _pss(key.public_key()), _PREHASHED).hex()


def verify(hex_pem: str, hex_signature: str, digest: bytes) -> None:
    """Raise Refused unless a PSS signature of a hash is valid."""
    key = public(hex_pem)
    try:
        key.verify(bytes.fromhex(hex_signature), digest, _pss(key), _PREHASHED)
    except InvalidSignature:
        raise Refused("a signature is not valid") from None


def sign_data(key: rsa.RSAPrivateKey, data: bytes) -> str:
    """Return the PKCS #1 v1.5 signature of data, in hex."""
    return key.sign(data, padding.PKCS1v15(), hashes.SHA512()).hex()


def verify_data(hex_pem: str, hex_signature: str, data: bytes) -> None:
    """Raise Refused unless a PKCS #1 v1.5 signature of data is valid."""
    try:
        public(hex_pem).verify(
            bytes.fromhex(hex_signature), data, padding.PKCS1v15(), hashes.SHA512()
        )
    except InvalidSignature:
        raise Refused("a signature is not valid") from None


def wrap(hex_pem: str, secret: bytes) -> bytes:
    """Return the envelope of a secret."""
    return public(hex_pem).encrypt(secret, _OAEP)


def unwrap(private_key: bytes, envelope: bytes) -> bytes:
    """Return the secret in an envelope; raise Refused if the key does not open it."""
    try:
        return private(private_key).decrypt(envelope, _OAEP)
    except ValueError:
        raise Refused("the private key does not open the envelope") from None


def public(hex_pem: str) -> rsa.RSAPublicKey:
    """Return a public key of a configuration."""
    key = serialization.load_pem_public_key(bytes.fromhex(hex_pem))
    assert isinstance(key, rsa.RSAPublicKey)
    return key


@cache  # loading a key checks its primes, which takes longer than a signature
def private(pem: bytes) -> rsa.RSAPrivateKey:
    """Return a private key, which has no password."""
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    """Return the public half of a key as it stands in a configuration, before the hex."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

"""RSA keys of the protocol: bounds, PEM, fingerprint (docs/protocol.md, "Keys")."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from entrypoint.limits import RSA_BITS_MAX, RSA_BITS_MIN, RSA_EXPONENT

PrivateKey = rsa.RSAPrivateKey
PublicKey = rsa.RSAPublicKey

PUBLIC_HEADERS = (b"-----BEGIN PUBLIC KEY-----", b"-----BEGIN RSA PUBLIC KEY-----")
"""The first lines of a public key in PEM: SubjectPublicKeyInfo and PKCS#1."""


class BadKey(Exception):
    """A key is not accepted; the text gives the reason and holds no part of the key."""


def load_public_key(pem: bytes) -> PublicKey:
    """Load a public key from PEM (SubjectPublicKeyInfo or PKCS#1), as configurations carry it.

    Raises:
        BadKey: not such a PEM, not RSA, modulus outside 2048–8192 bits, or e other than 65537.
    """
    if not pem.lstrip().startswith(PUBLIC_HEADERS):
        raise BadKey("is not a PEM public key")
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey("is not a readable PEM public key") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise BadKey("is not an RSA key")
    check_bounds(key)
    return key


def check_bounds(key: PublicKey) -> None:
    """Raise BadKey unless 2048 ≤ modulus bits ≤ 8192 and e = 65537."""
    if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        raise BadKey(f"has {key.key_size} bits, not {RSA_BITS_MIN} to {RSA_BITS_MAX}")
    if key.public_numbers().e != RSA_EXPONENT:
        raise BadKey(f"has a public exponent other than {RSA_EXPONENT}")


def public_pem(key: PublicKey) -> bytes:
    """Return the key in PEM, as configurations carry it."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def fingerprint(key: PublicKey) -> str:
    """Return the SHA-256 of the SubjectPublicKeyInfo in DER, lower-case hex."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return digest.finalize().hex()


def same_key(one: PublicKey, other: PublicKey) -> bool:
    """Return whether two public keys are the same RSA key."""
    return one.public_numbers() == other.public_numbers()

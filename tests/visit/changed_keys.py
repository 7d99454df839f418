"""Public keys that no configuration may have, and one that differs in one bit."""

from collections.abc import Callable

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests import reference
from tests.reference_rsa import private
from tests.station import USER_KEY


def other_modulus(hex_pem: str) -> str:
    """Return a public key that differs in one bit."""
    key = serialization.load_pem_public_key(bytes.fromhex(hex_pem))
    assert isinstance(key, rsa.RSAPublicKey)
    numbers = rsa.RSAPublicNumbers(65537, key.public_numbers().n ^ (1 << 1000))
    return pem_of(numbers.public_key()).hex()


def pem_of(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def with_numbers(exponent: int, bits: int) -> bytes:
    """Return a public key of any size, which nobody needs to use."""
    return pem_of(rsa.RSAPublicNumbers(exponent, (1 << (bits - 1)) + 1).public_key())


def pkcs1(name: str) -> bytes:
    key = private(reference.vector_key(name, private=True)).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)


ODD_KEYS: dict[str, Callable[[], bytes]] = {
    "1024 bits": lambda: with_numbers(65537, 1024),
    "2047 bits": lambda: with_numbers(65537, 2047),
    "8193 bits": lambda: with_numbers(65537, 8193),
    "16384 bits": lambda: with_numbers(65537, 16384),
    "e = 3": lambda: with_numbers(3, 2048),
    "e = 17": lambda: with_numbers(17, 2048),
    "elliptic curve": lambda: pem_of(ec.generate_private_key(ec.SECP256R1()).public_key()),
    "PKCS#1, cut short": lambda: pkcs1("user")[:-60],
    "private PEM": lambda: USER_KEY,
    "no PEM": lambda: b"not a key",
    "a PEM of nothing": lambda: b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
    "a PEM cut short": lambda: reference.vector_key("user")[:-60],
}

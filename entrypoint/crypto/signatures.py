"""RSA signatures (docs/protocol.md, "Signatures"). Each field has one scheme; no other is tried.

PSS: MGF1-SHA512, over a 64-byte hash that counts as the SHA-512 of a message, with the longest salt
that fits. The salt length is passed as a number, because `PSS.MAX_LENGTH` accepts any salt when
verifying.

PKCS #1 v1.5: SHA-512 of a message, which may itself be a hash.

A signature does not state its purpose: a station's PSS signature of a result hash is also valid for
a link of the chain if both hashes are equal, and the author of a train can make them equal.

A new signature is verified before it is returned: a wrong one, computed by a faulty machine, may
reveal the factors of the modulus (Boneh, DeMillo, Lipton: "On the importance of checking
cryptographic protocols for faults", 1997).
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, utils

from entrypoint.crypto.keys import PrivateKey, PublicKey
from entrypoint.errors import SystemFailure

_PREHASHED = utils.Prehashed(hashes.SHA512())


def sign_pss(key: PrivateKey, digest: bytes) -> bytes:
    """Sign a 64-byte SHA-512 digest with RSA-PSS and maximal salt (RFC 8017, section 8.1).

    Raises:
        SystemFailure: the computed signature is not valid.
    """
    signature = key.sign(digest, _pss(key.key_size), _PREHASHED)
    if not is_pss_signature(key.public_key(), signature, digest):
        raise _wrong_signature()
    return signature


def is_pss_signature(key: PublicKey, signature: bytes, digest: bytes) -> bool:
    """Return whether `signature` is the RSA-PSS signature, with maximal salt, of `digest`."""
    try:
        key.verify(signature, digest, _pss(key.key_size), _PREHASHED)
    except InvalidSignature:
        return False
    return True


def sign_pkcs1(key: PrivateKey, message: bytes) -> bytes:
    """Sign a message with RSASSA-PKCS1-v1_5 and SHA-512 (RFC 8017, section 8.2).

    Raises:
        SystemFailure: the computed signature is not valid.
    """
    signature = key.sign(message, padding.PKCS1v15(), hashes.SHA512())
    if not is_pkcs1_signature(key.public_key(), signature, message):
        raise _wrong_signature()
    return signature


def is_pkcs1_signature(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Return whether `signature` is the RSASSA-PKCS1-v1_5 signature of `message`."""
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA512())
    except InvalidSignature:
        return False
    return True


def _wrong_signature() -> SystemFailure:
    return SystemFailure(
        "signature-miscomputed",
        "a signature that was just computed is not valid",
        hint="start again; if it comes back, this machine computes wrongly: use another one",
        retry=True,
    )


def _pss(key_bits: int) -> padding.PSS:
    encoded_bytes = (key_bits - 1 + 7) // 8  # emLen of RFC 8017, section 9.1.1
    salt_bytes = encoded_bytes - hashes.SHA512.digest_size - 2
    return padding.PSS(padding.MGF1(hashes.SHA512()), salt_bytes)

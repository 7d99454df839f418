"""RSA signatures. One scheme per field: nothing here tries a second one.

Result, chain and (flat generation) user signatures are RSA-PSS with MGF1-SHA512 over a 64-byte hash
that is taken as an already computed SHA-512, with the longest salt that fits
(docs/protocol.md, "Signatures"). The salt length is passed as a number, because `PSS.MAX_LENGTH`
accepts any salt when verifying.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, utils

from entrypoint.crypto.keys import PrivateKey, PublicKey

_PREHASHED = utils.Prehashed(hashes.SHA512())


def sign_pss(key: PrivateKey, digest: bytes) -> bytes:
    """Sign a 64-byte SHA-512 digest with RSA-PSS and maximal salt (RFC 8017, section 8.1)."""
    return key.sign(digest, _pss(key.key_size), _PREHASHED)


def is_pss_signature(key: PublicKey, signature: bytes, digest: bytes) -> bool:
    """Return whether `signature` is the RSA-PSS signature, with maximal salt, of `digest`."""
    try:
        key.verify(signature, digest, _pss(key.key_size), _PREHASHED)
    except InvalidSignature:
        return False
    return True


def _pss(key_bits: int) -> padding.PSS:
    encoded_bytes = (key_bits - 1 + 7) // 8  # emLen of RFC 8017, section 9.1.1
    salt_bytes = encoded_bytes - hashes.SHA512.digest_size - 2
    return padding.PSS(padding.MGF1(hashes.SHA512()), salt_bytes)

"""Loads the keys that people hand over, and explains why one is not usable."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from entrypoint.crypto.key_forms import encoding_of_password, pem_of_file, problem_of_form
from entrypoint.crypto.keys import (
    PUBLIC_HEADERS,
    BadKey,
    PrivateKey,
    PublicKey,
    check_bounds,
    load_public_key,
)
from entrypoint.errors import MissingInput, SettingsError
from entrypoint.files.bounded import FileTooLarge, read_bounded
from entrypoint.limits import SETTINGS_BYTES


def load_private_key(
    pem: bytes, password: bytes | None, source: str, *, validated: bool = False
) -> PrivateKey:
    """Load an RSA private key from PEM (PKCS#1 or PKCS#8); the library validates its numbers.

    Args:
        pem: the file's bytes.
        password: for an encrypted key, else None.
        source: where the key came from, for messages.
        validated: whether its numbers have been validated already, which takes long.

    Raises:
        SettingsError: unreadable, wrong or missing password, not RSA, or out of bounds.
    """
    if form_problem := problem_of_form(pem, private=True):
        problem, hint = form_problem
        raise _bad_private_key(source, problem, hint=hint)
    try:
        key = serialization.load_pem_private_key(
            pem, password, unsafe_skip_rsa_key_validation=validated
        )
        if not isinstance(key, rsa.RSAPrivateKey):
            raise BadKey("is not an RSA key")
        check_bounds(key.public_key())
    except TypeError:
        problem = "is encrypted" if password is None else "is not encrypted, but a password is set"
        raise _bad_private_key(source, problem) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _bad_private_key(source, _problem_of_pem(password)) from None
    except BadKey as problem:
        raise _bad_private_key(source, str(problem)) from None
    return key


def read_public_key(path: Path) -> PublicKey:
    """Read a file with a public key, in PEM or hex of it.

    Raises:
        MissingInput: the file cannot be read.
        SettingsError: it is not an acceptable public key.
    """
    try:
        data = read_bounded(path, SETTINGS_BYTES)
    except FileTooLarge as error:
        raise SettingsError(
            "public-key-unusable",
            f"the public key {path} cannot be used: {error.strerror}",
            hint="give the path of a PEM file that holds one public key",
        ) from None
    except OSError as error:
        raise MissingInput(
            "public-key-missing",
            f"cannot read the public key {path}: {(error.strerror or '').lower()}",
            hint="give the path of a PEM file that `pht keygen` or the station made",
        ) from None
    if form_problem := problem_of_form(data, private=False):
        problem, hint = form_problem
        raise SettingsError("public-key-unusable", f"the public key {path} {problem}", hint=hint)
    try:
        return load_public_key(_public_part(pem_of_file(data)))
    except BadKey as problem:
        raise SettingsError(
            "public-key-unusable",
            f"the public key {path} {problem}",
            hint="give an RSA public key in PEM; a private key does not belong here",
        ) from None


def _problem_of_pem(password: bytes | None) -> str:
    """Return why a private key could not be parsed: its form or its password."""
    if not password:
        return "is not a valid private key in PEM"
    problem = "is not a valid private key in PEM, or the password is wrong"
    if encoding := encoding_of_password(password):
        problem += f": it {encoding}; save its file as UTF-8 without such a mark"
    return problem


def _bad_private_key(
    source: str,
    problem: str,
    hint: str = "give an RSA key of 2048 to 8192 bits in PEM, and its password if it has one",
) -> SettingsError:
    return SettingsError(
        "private-key-unusable", f"the private key from {source} {problem}", hint=hint
    )


def _public_part(pem: bytes) -> bytes:
    """Return a PEM file from its public key on: OpenSSL writes attributes in front of it.

    Raises:
        BadKey: it holds a private key.
    """
    if b"PRIVATE KEY-----" in pem:
        raise BadKey("holds a private key")
    starts = [pem.find(header) for header in PUBLIC_HEADERS if header in pem]
    return pem[min(starts) :] if starts else pem

"""Paillier keys at the desk: makes pairs, reads their files, and decrypts numbers.

Encrypted numbers can be added without the private key: stations that see only such numbers still
compute a sum, which the user alone can read. pow() does not run in constant time; that is no
weakness here, where the user decrypts their own results on their own machine and nobody can time
it.
"""

import json
import math
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from entrypoint.author import private_keys
from entrypoint.crypto.keys import BadKey
from entrypoint.crypto.paillier_key import (
    PaillierKey,
    decimal,
    document_of_key,
    key_of_document,
    load_document,
    load_paillier_key,
    simple_key,
)
from entrypoint.errors import SettingsError
from entrypoint.limits import RSA_BITS_MIN, SETTINGS_BYTES
from entrypoint.report import Report


class NotEncrypted(ValueError):
    """A number cannot be one that was encrypted under the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKey:
    """A private key with its public key; other rooms of the program never load one."""

    public: PaillierKey
    lambda_: int = field(repr=False)
    mu: int = field(repr=False)

    def decrypt(self, encrypted: int) -> int:
        """Return the number, from 0 to n - 1; raises NotEncrypted."""
        n = self.public.n
        square = n * n
        if not 0 < encrypted < square or math.gcd(encrypted, n) != 1:
            raise NotEncrypted
        return (pow(encrypted, self.lambda_, square) - 1) // n * self.mu % n


def generate(bits: int) -> PrivateKey:
    """Return a new key with a modulus of `bits` bits, whose g is n + 1.

    Its primes are those of an RSA key, which `cryptography` makes.
    """
    numbers = private_keys.generate(bits).private_numbers()
    n = numbers.p * numbers.q
    lambda_ = math.lcm(numbers.p - 1, numbers.q - 1)
    return PrivateKey(public=simple_key(n), lambda_=lambda_, mu=pow(lambda_, -1, n))


def private_json(key: PrivateKey) -> bytes:
    """Return a private key in the JSON form of the users' application, unencrypted."""
    numbers = {"lambda": str(key.lambda_), "mu": str(key.mu)}
    return json.dumps({**numbers, "publicKey": document_of_key(key.public)}).encode()


def read_public(path: Path, report: Report) -> PaillierKey:
    """Read a public key and warn if it is weak.

    Raises:
        MissingInput: the file cannot be read.
        SettingsError: it is not an acceptable public key.
    """
    try:
        key = load_paillier_key(private_keys.read_file(path, SETTINGS_BYTES))
    except BadKey as problem:
        raise SettingsError(
            "paillier-key-unusable",
            f"the Paillier key {path} {problem}",
            hint="give the public key, a JSON object with n and g in decimal text; "
            "pht keygen --paillier makes one",
        ) from None
    if key.bits < RSA_BITS_MIN:
        report.warning(
            f"the Paillier key {path} has only {key.bits} bits: whoever wants to can compute its "
            "private key and read the numbers; pht keygen --paillier makes a longer one"
        )
    return key


def read_private(path: Path, of_train: PaillierKey | None) -> PrivateKey:
    """Read a private key and try it with its public key.

    Args:
        path: its file, which need not hold the public key.
        of_train: the public key on the train; None if there is none.

    Raises:
        MissingInput: the file cannot be read.
        SettingsError: it is not an acceptable private key, there is no public key, or another one.
    """
    try:
        key = _load_private(private_keys.read_file(path, SETTINGS_BYTES), of_train)
    except BadKey as problem:
        raise SettingsError(
            "paillier-key-unusable",
            f"the Paillier private key {path} {problem}",
            hint="give the private key, a JSON object with lambda and mu in decimal text",
        ) from None
    if of_train not in (None, key.public) or not _opens(key):
        raise SettingsError(
            "key-of-someone-else",
            f"the Paillier private key {path} does not belong to the public key "
            f"{'on this train' if of_train else 'in the same file'}",
            hint="give the key that belongs to it; if the train was made with this one, a station "
            "has changed the public key, which nobody signs",
        )
    return key


def _load_private(data: bytes, of_train: PaillierKey | None) -> PrivateKey:
    match load_document(data):
        case {"lambda": lambda_, "mu": mu, **others} if not others.keys() - {"publicKey"}:
            public = key_of_document(others["publicKey"]) if others else of_train
            numbers = decimal(lambda_, "lambda"), decimal(mu, "mu")
        case {"n": _, "g": _}:
            raise BadKey("is a public key")
        case _:
            raise BadKey("is no object with the members lambda, mu and perhaps publicKey")
    if public is None:
        raise BadKey("does not hold its publicKey, and neither does the train")
    if not all(0 < number < public.n for number in numbers):
        raise BadKey("has numbers that do not fit its public key")
    return PrivateKey(public=public, lambda_=numbers[0], mu=numbers[1])


def _opens(key: PrivateKey) -> bool:
    """Return whether a private key decrypts what its public key encrypts."""
    n, square = key.public.n, key.public.n**2
    number = secrets.randbelow(n)
    encrypted = pow(key.public.g, number, square) * pow(secrets.randbelow(n), n, square) % square
    try:
        return key.decrypt(encrypted) == number
    except NotEncrypted:
        return False

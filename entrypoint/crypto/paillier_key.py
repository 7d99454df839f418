"""The user's public key of the Paillier cryptosystem, under which trains add encrypted numbers.

A train only carries it; the private key and its arithmetic are at the user's desk
(docs/protocol.md, "Paillier keys").
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from entrypoint.crypto.keys import BadKey
from entrypoint.files.strict_json import BadJson, Document, parse_json
from entrypoint.limits import PAILLIER_BITS_MAX, PAILLIER_BITS_MIN

_DEPTH = 2
"""Maximum nesting of the file of a key: a private key may hold its public key."""

_DECIMAL = re.compile(f"[0-9]{{1,{len(str(1 << 2 * PAILLIER_BITS_MAX))}}}")
"""A number of a key; the largest, g, is smaller than n²."""


@dataclass(frozen=True, slots=True)
class PaillierKey:
    """A public key: the modulus `n` and the generator `g`, within their bounds."""

    n: int
    g: int

    def __post_init__(self) -> None:
        if not PAILLIER_BITS_MIN <= self.bits <= PAILLIER_BITS_MAX:
            raise BadKey(f"has {self.bits} bits, not {PAILLIER_BITS_MIN} to {PAILLIER_BITS_MAX}")
        if not (1 < self.g < self.n * self.n and math.gcd(self.g, self.n) == 1):
            raise BadKey("has a g that does not belong to its n")

    @property
    def bits(self) -> int:
        """The size of the modulus."""
        return self.n.bit_length()

    @property
    def is_simple(self) -> bool:
        """True if g is n + 1, as readers of n alone assume."""
        return self.g == self.n + 1


def simple_key(n: int) -> PaillierKey:
    """Return the key of which only n is known."""
    return PaillierKey(n, n + 1)


def load_paillier_key(data: bytes) -> PaillierKey:
    """Return the key in its JSON form, {"n": …, "g": …}.

    Raises:
        BadKey: it has another form or other members, or is out of bounds.
    """
    return key_of_document(load_document(data))


def load_document(data: bytes) -> Any:
    """Return the JSON value in the file of a public or private key; raises BadKey."""
    try:
        return parse_json(data, _DEPTH)
    except BadJson as problem:
        raise BadKey(str(problem)) from None


def key_of_document(document: Any) -> PaillierKey:
    """Like `load_paillier_key`, for the parsed JSON; other members could be secret."""
    match document:
        case {"n": n, "g": g, **others} if not others:
            return PaillierKey(decimal(n, "n"), decimal(g, "g"))
        case {"lambda": _} | {"mu": _}:
            raise BadKey("is a private key")
    raise BadKey("is no object with exactly the members n and g")


def decimal(value: Any, name: str) -> int:
    """Return the number in a member of a key, decimal text; raises BadKey."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise BadKey(f"has a member {name} that is no text of digits, or too long")
    return int(value)


def paillier_json(key: PaillierKey) -> bytes:
    """Return a key in its JSON form, as the users' application writes it."""
    return json.dumps(document_of_key(key), separators=(",", ":")).encode()


def document_of_key(key: PaillierKey) -> Document:
    """Return the object of the JSON form."""
    return {"n": str(key.n), "g": str(key.g)}

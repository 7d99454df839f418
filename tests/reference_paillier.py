"""The Paillier cryptosystem as docs/protocol.md has it, and a key of the users' application.

Like the other `reference*.py` this imports nothing of this project.
"""

import json
import secrets
from pathlib import Path

N = 206556784900512205632512955659188849933
G = 26706334840104107641931741690625481832707639941348244570702247911491062097850
LAMBDA = 51639196225128051400623702033056379400
MU = 27960717018897953100232631915250363870
"""A pair of keys as the users' application makes them, from its own tests."""

SIMPLE_MU = pow(LAMBDA, -1, N)
"""The last number of the private key for the same modulus, with n + 1 for g."""

RECORDED = 27511177347604144749748043945388338495536800836527384846281887219406956289564
RECORDED_NUMBER = 148139147952395036669817393193557877325
"""A number encrypted under that key, and what the module `paillier-bigint` 3.4.3 decrypts."""

PUBLIC = {"n": str(N), "g": str(G)}
SIMPLE = {"n": str(N), "g": str(N + 1)}
PRIVATE = {"mu": str(MU), "lambda": str(LAMBDA)}
SIMPLE_PRIVATE = {"mu": str(SIMPLE_MU), "lambda": str(LAMBDA)}


def write_key(path: Path, members: object) -> Path:
    """Write a key as the application does, and return its file."""
    path.write_text(json.dumps(members, separators=(",", ":")))
    return path


def encrypt(number: int, n: int = N, g: int = G) -> int:
    """Return a number encrypted under a public key."""
    return pow(g, number, n * n) * pow(1 + secrets.randbelow(n - 1), n, n * n) % (n * n)


def decrypt(encrypted: int, private: dict[str, str], n: int = N) -> int:
    """Return the number that the application decrypts with a private key."""
    root = pow(encrypted, int(private["lambda"]), n * n)
    return (root - 1) // n * int(private["mu"]) % n

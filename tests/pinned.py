"""The file `trust` of a station folder, written without our code."""

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives import serialization


def fingerprint(pem: bytes) -> str:
    """Return the SHA-256 of a public key in DER, as `openssl` and `sha256sum` show it."""
    der = serialization.load_pem_public_key(pem).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def line(holder: str, pem: bytes) -> str:
    """Return the line that pins a public key.

    Args:
        holder: its beginning, such as `user 4711`.
        pem: the key.
    """
    return f"{holder} SHA256:{fingerprint(pem)}"


def pin(root: Path, *lines: str) -> None:
    """Write the file into the station folder below `root`, which exists."""
    (root / "run" / "pht" / "trust").write_text("".join(f"{line}\n" for line in lines))

"""Recognises the station's key, in every form in which memory or a file holds it."""

import hashlib
import hmac
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .attempts import Absent

OPT = Path("/opt")
CONFIG = OPT / "train_config.json"
RESULTS = OPT / "pht_results"
TRAIN = OPT / "pht_train"
STATION = Path("/run/pht")
RUNNER_HOME = Path("/usr/local/lib/pht")

_PEM = re.compile(rb"-----BEGIN (?:RSA |ENCRYPTED )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{60}")
_HEX = re.compile(b"-----BEGIN ".hex().encode() + rb"[0-9a-f]{150}", re.IGNORECASE)
_DIGIT = 30  # bits of a digit of Python's integers


def key_in(data: bytes) -> str | None:
    """Return a description of the private key in some bytes, as PEM or as hex of PEM."""
    for form, pattern in (("PEM", _PEM), ("hex", _HEX)):
        if found := pattern.search(data):
            return f"private key as {form}, sha256 {_digest(found.group())}"
    return None


def factor_in(data: bytes, modulus: int) -> str | None:
    """Return a description of a factor of the modulus in the memory of a process."""
    size = modulus.bit_length() // 16
    for form, numbers in (
        ("words", _words(data, size)),
        ("DER", _der(data, size)),
        ("integer of Python", _integers(data, size * 8)),
    ):
        for number in numbers:
            if 1 < number < modulus and modulus % number == 0:
                return f"factor of the modulus as {form}, sha256 {_digest(str(number).encode())}"
    return None


def _words(data: bytes, size: int) -> Iterator[int]:
    """Yield numbers that stand in memory as OpenSSL keeps them: words, the lowest first.

    The product of two factors is as long as the modulus, so the highest word is large.
    """
    values = memoryview(data)[: len(data) // 8 * 8].cast("Q").tolist()
    count = size // 8
    for last, value in enumerate(values):
        if value >= 0xB0 << 56 and (first := last - count + 1) >= 0 and values[first] & 1:
            yield int.from_bytes(data[first * 8 : (last + 1) * 8], "little")


def _der(data: bytes, size: int) -> Iterator[int]:
    """Yield positive integers of DER of a given number of bytes."""
    length = size + 1
    head = bytes([2, 0x81, length, 0]) if length < 256 else b"\2\x82" + length.to_bytes(2) + b"\0"
    for start in _ends(data, head):
        yield int.from_bytes(data[start : start + size])


def _integers(data: bytes, bits: int) -> Iterator[int]:
    """Yield integers of Python; their number of digits precedes them, since 3.12 shifted by 3."""
    count = -(-bits // _DIGIT)
    for size in (count, count << 3):
        for start in _ends(data, struct.pack("<Q", size)):
            piece = data[start : start + 4 * count]
            if len(piece) == 4 * count:
                digits = struct.unpack(f"<{count}I", piece)
                yield sum(digit << _DIGIT * place for place, digit in enumerate(digits))


def _ends(data: bytes, needle: bytes) -> Iterator[int]:
    at = data.find(needle)
    while at >= 0:
        yield at + len(needle)
        at = data.find(needle, at + 1)


def journal_key_in(data: bytes) -> str | None:
    """Return a description of the key that authenticates the journal on disk."""
    document = read_config()
    if "pht_mac" not in document:
        raise Absent("no journal in train_config.json")
    visit = json.dumps(document["pht_visit"], sort_keys=True, separators=(",", ":")).encode()
    # Bytes of Python: their length, their hash, themselves.
    for start in _ends(data, struct.pack("<Q", 32)):
        key = data[start + 8 : start + 40]
        if len(set(key)) > 8 and hmac.new(key, visit, "sha256").hexdigest() == document["pht_mac"]:
            return f"key of the journal, sha256 {_digest(key)}"
    return None


def read_config() -> dict[str, Any]:
    """Return `train_config.json` as it is while the train runs."""
    document: dict[str, Any] = json.loads(CONFIG.read_bytes())
    return document


def modulus() -> int:
    """Return the modulus of the station's key, which the author put into the train."""
    return int((TRAIN / "modulus").read_text())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]

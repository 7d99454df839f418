"""Measures the cryptographic primitives of the protocol, which no program can beat."""

import hashlib
import hmac
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128, AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

from entrypoint.limits import CHUNK_BYTES

CORES = 2
"""Processor cores that a station is assumed to grant."""

ROUNDS = 5


@dataclass(frozen=True)
class Primitive:
    """One step of the work on every byte.

    Attributes:
        prepare: takes one chunk of plaintext, and returns a function that processes it (or, to
            decrypt or decode, a chunk of that size) once.
        serial: whether it processes all bytes of all files as one chain.
    """

    name: str
    prepare: Callable[[bytes], Callable[[], object]]
    serial: bool = False


def _sha512(data: bytes) -> Callable[[], object]:
    digest = hashlib.sha512()
    return lambda: digest.update(data)


def _hmac_sha256(data: bytes) -> Callable[[], object]:
    mac = hmac.new(bytes(16), digestmod="sha256")
    return lambda: mac.update(data)


def _aes_encrypt(aes: BlockCipherAlgorithm, data: bytes) -> Callable[[], object]:
    encryptor = Cipher(aes, CBC(bytes(16))).encryptor()
    room = bytearray(len(data) + 15)
    return lambda: encryptor.update_into(data, room)


def _aes_decrypt(aes: BlockCipherAlgorithm, data: bytes) -> Callable[[], object]:
    decryptor = Cipher(aes, CBC(bytes(16))).decryptor()
    room = bytearray(len(data) + 15)
    return lambda: decryptor.update_into(data, room)


def _encode(data: bytes) -> Callable[[], object]:
    return lambda: urlsafe_b64encode(data)


def _decode(data: bytes) -> Callable[[], object]:
    text = urlsafe_b64encode(data)
    return lambda: urlsafe_b64decode(text)


SHA_512 = Primitive("SHA-512", _sha512, serial=True)
HMAC_SHA_256 = Primitive("HMAC-SHA256", _hmac_sha256)
AES_128_ENCRYPT = Primitive("AES-128-CBC encrypt", partial(_aes_encrypt, AES128(bytes(16))))
AES_128_DECRYPT = Primitive("AES-128-CBC decrypt", partial(_aes_decrypt, AES128(bytes(16))))
AES_256_ENCRYPT = Primitive("AES-256-CBC encrypt", partial(_aes_encrypt, AES256(bytes(32))))
AES_256_DECRYPT = Primitive("AES-256-CBC decrypt", partial(_aes_decrypt, AES256(bytes(32))))
ENCODE = Primitive("urlsafe base64 encode", _encode)
DECODE = Primitive("urlsafe base64 decode", _decode)


def seconds_per_byte(primitive: Primitive, size: int) -> float:
    """Return the least time that a primitive takes for one byte on one core.

    Args:
        primitive: the one to measure.
        size: minimum number of bytes to measure on.
    """
    work = primitive.prepare(os.urandom(CHUNK_BYTES))
    times = -(-size // CHUNK_BYTES)
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            work()
        seconds.append(time.perf_counter() - began)
    return min(seconds) / (times * CHUNK_BYTES)


def limit(primitives: Iterable[tuple[Primitive, float]]) -> float:
    """Return the shortest time for one byte on CORES cores.

    Args:
        primitives: those that process each byte, with the seconds per byte of each.
    """
    known = list(primitives)
    shared = sum(seconds for _, seconds in known) / CORES
    return max([shared, *(seconds for primitive, seconds in known if primitive.serial)])

"""The streaming AES-256-CBC against NIST's vector, `cryptography` in one piece, and faults."""

import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import example, given
from hypothesis import strategies as st

from entrypoint.crypto import cbc
from entrypoint.crypto.cbc import InvalidBlocks
from entrypoint.crypto.file_cipher import transform

KEY = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
IV = bytes(range(16))
PLAIN = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
SPECIFIED = bytes.fromhex("f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d")
"""The first two blocks of NIST SP 800-38A, F.2.5 (CBC-AES256.Encrypt), which has no padding."""

plaintexts = st.binary(max_size=100)
cut_points = st.lists(st.integers(0, 150), max_size=12)


def pieces(data: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    """Cut `data` at the given offsets; offsets beyond the end or given twice make empty pieces."""
    borders = [0, *sorted(cuts), max(len(data), *cuts, 0)]
    for start, end in pairwise(borders):
        yield data[start:end]


def sealed(contents: Iterable[bytes]) -> Iterator[bytes]:
    first, second = cbc.encryptor(KEY, IV)
    return transform(second, transform(first, contents))


def seal(plaintext: bytes, cuts: Sequence[int] = ()) -> bytes:
    return b"".join(sealed(pieces(plaintext, cuts)))


def unseal(data: bytes, cuts: Sequence[int] = (), key: bytes = KEY) -> bytes:
    return b"".join(transform(cbc.decryptor(key), pieces(data, cuts)))


def in_one_piece(plaintext: bytes) -> bytes:
    padder = PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(KEY), modes.CBC(IV)).encryptor()
    padded = padder.update(plaintext) + padder.finalize()
    return IV + cipher.update(padded) + cipher.finalize()


def test_the_vector_of_nist() -> None:
    assert seal(PLAIN)[:48] == IV + SPECIFIED
    assert unseal(seal(PLAIN)) == PLAIN


@given(plaintexts, cut_points)
@example(b"", ())
@example(bytes(16), range(1, 20))
def test_pieces_of_any_size_make_what_cryptography_makes(
    plaintext: bytes, cuts: Sequence[int]
) -> None:
    assert seal(plaintext, cuts) == in_one_piece(plaintext)


@given(plaintexts, cut_points)
@example(b"", range(1, 40))
@example(bytes(33), range(1, 80))
def test_pieces_of_any_size_are_read(plaintext: bytes, cuts: Sequence[int]) -> None:
    assert unseal(in_one_piece(plaintext), cuts) == plaintext


@pytest.mark.parametrize("size", [*range(32), 33, 47, 49])
def test_an_incomplete_block_is_refused(size: int) -> None:
    with pytest.raises(InvalidBlocks):
        unseal(seal(bytes(100))[:size])


@pytest.mark.parametrize("padding", [bytes(16), b"\x11" * 16, b"x" * 15 + b"\x02"])
def test_bad_padding_is_refused(padding: bytes) -> None:
    cipher = Cipher(algorithms.AES(KEY), modes.CBC(IV)).encryptor()
    with pytest.raises(InvalidBlocks):
        unseal(IV + cipher.update(bytes(16) + padding))


def test_faults_look_alike() -> None:
    said = set()
    for data in (b"", seal(b"x")[:-1], seal(b"x")[:-1] + b"\0"):
        with pytest.raises(InvalidBlocks) as refused:
            unseal(data)
        said.add((str(refused.value), refused.value.__cause__))
    assert said == {("", None)}


@pytest.mark.parametrize("key", [b"", bytes(16), bytes(31), bytes(33), b"A" * 44])
def test_a_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011, `cryptography` words it
        cbc.encryptor(key, IV)
    with pytest.raises(ValueError):  # noqa: PT011, `cryptography` words it
        cbc.decryptor(key)


def test_keys_are_fresh_and_of_their_length() -> None:
    keys = {cbc.generate_key() for _ in range(10)}
    assert len(keys) == 10
    assert {len(key) for key in keys} == {32}


def test_the_iv_is_read_without_the_key() -> None:
    assert cbc.peek_iv(seal(b"x")) == cbc.peek_iv(IV) == IV
    assert cbc.peek_iv(IV[:15]) is None


def test_memory_does_not_grow_with_a_file() -> None:
    chunk = bytes(96 * 1024)
    token = sealed(chunk for _ in range(100))
    tracemalloc.start()
    try:
        size = sum(map(len, transform(cbc.decryptor(KEY), token)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == 100 * len(chunk)
    assert peak < 10 * len(chunk)

"""The streaming Fernet against `cryptography.fernet`, the specification's vector, and faults."""

import base64
import hashlib
import hmac
import os
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, pairwise, repeat

import pytest
from cryptography.fernet import Fernet
from cryptography.fernet import InvalidToken as TheirInvalidToken
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import example, given
from hypothesis import strategies as st

from entrypoint.crypto import fernet
from entrypoint.crypto.fernet import InvalidToken
from entrypoint.crypto.file_cipher import InvalidCiphertext, Stream, transform

KEY = b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
IV = bytes(range(16))

SPECIFIED_TOKEN = (
    b"gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4I"
    b"wqDA=="
)
"""`generate.json` of the Fernet specification: KEY, IV, time 499162800, plaintext "hello"."""

sizes = st.one_of(
    st.sampled_from([0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 49]),
    st.integers(0, 300),
    st.integers(8180, 8210),
)
plaintexts = sizes.flatmap(lambda size: st.binary(min_size=size, max_size=size))
cut_points = st.lists(st.integers(0, 12_000), max_size=12)
byte_by_byte = range(1, 400)


def pieces(data: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    """Cut `data` at the given offsets; offsets beyond the end or given twice make empty pieces."""
    borders = [0, *sorted(cuts), max(len(data), *cuts, 0)]
    for start, end in pairwise(borders):
        yield data[start:end]


def sealed(contents: Iterable[bytes], key: bytes = KEY, iv: bytes = IV) -> Iterator[bytes]:
    first, second = fernet.encryptor(key, iv)
    return transform(second, transform(first, contents))


def seal(plaintext: bytes, cuts: Sequence[int] = (), key: bytes = KEY) -> bytes:
    return b"".join(sealed(pieces(plaintext, cuts), key))


def unseal(token: bytes, cuts: Sequence[int] = (), key: bytes = KEY) -> bytes:
    return b"".join(transform(fernet.decryptor(key), pieces(token, cuts)))


def is_valid_token(token: bytes, cuts: Sequence[int] = ()) -> bool:
    try:
        unseal(token, cuts)
    except InvalidToken:
        return False
    return True


def is_accepted_by_cryptography(token: bytes) -> bool:
    try:
        Fernet(KEY).decrypt(token)
    except TheirInvalidToken:
        return False
    return True


def authentic(body: bytes) -> bytes:
    """Return the canonical token of any body, with the right HMAC."""
    signing_key = base64.urlsafe_b64decode(KEY)[:16]
    mac = hmac.digest(signing_key, body, hashlib.sha256)
    return base64.urlsafe_b64encode(body + mac)


def aes_cbc(padded: bytes) -> bytes:
    encryption_key = base64.urlsafe_b64decode(KEY)[16:]
    return Cipher(algorithms.AES(encryption_key), modes.CBC(IV)).encryptor().update(padded)


# --- agreement -----------------------------------------------------------------------------------


@given(plaintexts, cut_points)
@example(b"", [])
@example(bytes(16), list(byte_by_byte))
def test_cryptography_reads_what_we_write(plaintext: bytes, cuts: list[int]) -> None:
    assert Fernet(KEY).decrypt(seal(plaintext, cuts)) == plaintext


@given(plaintexts, cut_points, st.integers(0, 2**63))
@example(b"", list(byte_by_byte), 0)
@example(bytes(16), list(byte_by_byte), 2**40)
def test_we_read_what_cryptography_writes(plaintext: bytes, cuts: list[int], time: int) -> None:
    assert unseal(Fernet(KEY).encrypt_at_time(plaintext, time), cuts) == plaintext


@given(plaintexts, cut_points)
def test_a_token_does_not_depend_on_the_pieces(plaintext: bytes, cuts: list[int]) -> None:
    assert seal(plaintext, cuts) == seal(plaintext)


@given(plaintexts, cut_points, cut_points)
def test_we_read_what_we_write(plaintext: bytes, cuts: list[int], others: list[int]) -> None:
    assert unseal(seal(plaintext, cuts), others) == plaintext


def test_the_token_of_the_specification_is_read() -> None:
    assert unseal(SPECIFIED_TOKEN) == b"hello"


def test_the_token_of_the_specification_is_written_except_for_its_time() -> None:
    specified, ours = (base64.urlsafe_b64decode(t) for t in (SPECIFIED_TOKEN, seal(b"hello")))
    assert ours[:9] == b"\x80" + bytes(8)
    assert ours[9:-32] == specified[9:-32]


@given(
    version=st.sampled_from([b"\x80", b"\x00", b"\x81", b""]),
    prefix=st.sampled_from([bytes(8) + IV, bytes(7) + IV, bytes(8), b""]),
    padded=st.one_of(
        st.binary(max_size=80),
        st.builds(
            lambda blocks, count: bytes(16 * blocks - 1) + bytes([count]),
            st.integers(1, 4),
            st.integers(0, 20),
        ),
    ),
    cuts=cut_points,
)
@example(version=b"\x80", prefix=bytes(8) + IV, padded=b"", cuts=[])
@example(version=b"\x80", prefix=bytes(8) + IV, padded=b"\x10" * 16, cuts=[])
@example(version=b"\x80", prefix=bytes(8) + IV, padded=b"\x01" * 32, cuts=[])
@example(version=b"\x80", prefix=bytes(8) + IV, padded=b"\x10" * 16 + b"x", cuts=[])
def test_authentic_but_odd_tokens_get_the_verdict_of_cryptography(
    version: bytes, prefix: bytes, padded: bytes, cuts: list[int]
) -> None:
    whole = len(padded) // 16 * 16
    token = authentic(version + prefix + aes_cbc(padded[:whole]) + padded[whole:])

    assert is_valid_token(token, cuts) == is_accepted_by_cryptography(token)


# --- refusal -------------------------------------------------------------------------------------

SHORT = {size: seal(bytes(range(size))) for size in (0, 20, 40)}
"""Tokens that end in "==", in "=" and without padding."""


@pytest.mark.parametrize("token", SHORT.values(), ids=lambda token: f"{len(token)} characters")
class TestEveryChange:
    """Exhaustive over short tokens, including changes that a lenient base64 decoder ignores."""

    def test_the_token_itself_is_accepted(self, token: bytes) -> None:
        assert is_valid_token(token)

    def test_a_replaced_byte(self, token: bytes) -> None:
        changed = (
            token[:at] + bytes([value]) + token[at + 1 :]
            for at in range(len(token))
            for value in range(256)
            if value != token[at]
        )
        assert not [text for text in changed if is_valid_token(text)]

    def test_a_removed_byte(self, token: bytes) -> None:
        changed = (token[:at] + token[at + 1 :] for at in range(len(token)))
        assert not [text for text in changed if is_valid_token(text)]

    @pytest.mark.parametrize(
        "inserted",
        [
            *(b"A", b"=", b"+", b"/", b"-", b"\n", b" ", b"\0", b"==", b"\r\n", b"AAAA"),
            *(b"===", b"====", b"========"),
        ],
    )
    def test_inserted_bytes(self, token: bytes, inserted: bytes) -> None:
        places = range(len(token) + 1)
        changed = (token[:at] + inserted + token[at:] for at in places)
        assert not [text for text in changed if is_valid_token(text)]

    def test_a_truncated_token(self, token: bytes) -> None:
        assert not [end for end in range(len(token)) if is_valid_token(token[:end])]

    def test_a_missing_beginning(self, token: bytes) -> None:
        assert not [start for start in range(1, len(token) + 1) if is_valid_token(token[start:])]

    def test_two_tokens_in_a_row(self, token: bytes) -> None:
        assert not is_valid_token(token + token)

    def test_another_key(self, token: bytes) -> None:
        with pytest.raises(InvalidToken):
            unseal(token, key=fernet.generate_key())


@given(
    token=plaintexts.map(seal),
    at=st.integers(0, 12_000),
    change=st.sampled_from([b"", b"A", b"_A", b"\n", b"=", b"====", b"+", b"AAAA"]),
    removed=st.integers(0, 4),
    cuts=cut_points,
)
def test_pieces_do_not_change_the_verdict(
    token: bytes, at: int, change: bytes, removed: int, cuts: list[int]
) -> None:
    at %= len(token)
    changed = token[:at] + change + token[at + removed :]

    assert is_valid_token(changed, cuts) == is_valid_token(changed) == (changed == token)


@given(st.binary(max_size=200), cut_points)
def test_noise_is_refused_with_the_one_exception(noise: bytes, cuts: list[int]) -> None:
    assert not is_valid_token(noise, cuts)


@pytest.mark.parametrize("lenient", [b"\n", b"!", b"\xff"])
def test_foreign_characters_that_cryptography_skips_are_refused(lenient: bytes) -> None:
    token = SHORT[20][:40] + lenient + SHORT[20][40:]

    assert is_accepted_by_cryptography(token)
    assert not is_valid_token(token)


def test_a_wrong_hmac_and_a_wrong_padding_look_the_same() -> None:
    wrong_padding = authentic(b"\x80" + bytes(8) + IV + aes_cbc(bytes(16)))
    wrong_both = seal(b"")[:-4] + b"AA=="
    messages = set()
    for token in (wrong_padding, wrong_both):
        with pytest.raises(InvalidCiphertext) as caught:
            unseal(token)
        messages.add((caught.type, str(caught.value)))

    assert messages == {(InvalidToken, "")}


# --- precomputed parts ---------------------------------------------------------------------------


def precomputing(
    stream: Stream, contents: Iterable[bytes], pattern: Sequence[bool]
) -> Iterator[bytes]:
    """Yield what `through` does, but precompute the pieces where the repeated pattern is true."""
    for piece, chosen in zip(contents, cycle(pattern), strict=False):
        yield bytes(stream.update(piece, stream.precompute(piece) if chosen else b""))
    yield stream.finalize()


some = st.lists(st.booleans(), min_size=1, max_size=5)


@given(plaintexts, cut_points, some)
@example(bytes(96), [48], [True])
@example(bytes(97), [49], [True])
def test_precomputed_encoding_gives_the_same_token(
    plaintext: bytes, cuts: list[int], pattern: list[bool]
) -> None:
    first, second = fernet.encryptor(KEY, IV)
    token = precomputing(second, transform(first, pieces(plaintext, cuts)), pattern)

    assert b"".join(token) == seal(plaintext)


@given(plaintexts, cut_points, some)
@example(bytes(96), [48], [True])
@example(bytes(97), [49], [True])
def test_precomputed_decoding_gives_the_same_plaintext(
    plaintext: bytes, cuts: list[int], pattern: list[bool]
) -> None:
    opened = precomputing(fernet.decryptor(KEY), pieces(seal(plaintext), cuts), pattern)

    assert b"".join(opened) == plaintext


@given(st.binary(min_size=1, max_size=200), cut_points, some)
@example(b"====", [], [True])
@example(b"====", [], [False])
@example(b"====", [len(SHORT[40])], [True])
def test_precomputing_a_bad_token_gives_the_same_error(
    noise: bytes, cuts: list[int], pattern: list[bool]
) -> None:
    with pytest.raises(InvalidToken):
        list(precomputing(fernet.decryptor(KEY), pieces(SHORT[40] + noise, cuts), pattern))


@pytest.mark.parametrize("cuts", [[], [4], [4, 4], [8], [8, 8], [104], range(1, 400)])
@pytest.mark.parametrize("pattern", [[True], [False]])
def test_padding_between_pieces_is_refused(cuts: Sequence[int], pattern: list[bool]) -> None:
    raw = base64.urlsafe_b64decode(SHORT[40])
    spelled = base64.urlsafe_b64encode(raw[:1]) + base64.urlsafe_b64encode(raw[1:])
    lengthened = [SHORT[40][:at] + b"====" + SHORT[40][at:] for at in (4, 100)]

    for token in (spelled, *lengthened):
        assert_token_refused(token, cuts, pattern)


def assert_token_refused(token: bytes, cuts: Sequence[int], pattern: list[bool]) -> None:
    with pytest.raises(InvalidToken):
        list(precomputing(fernet.decryptor(KEY), pieces(token, cuts), pattern))


# --- keys and heads ------------------------------------------------------------------------------


def test_cryptography_accepts_a_fresh_key() -> None:
    key = fernet.generate_key()

    assert len(key) == 44
    assert key != fernet.generate_key()
    assert Fernet(key).decrypt(seal(b"plaintext", key=key)) == b"plaintext"


@pytest.mark.parametrize(
    "key",
    [
        b"",
        KEY[:-1],
        KEY + b"\n",
        KEY[:-2] + b"5=",  # the same 32 bytes, unused bits set
        KEY.replace(b"_", b"/"),
        base64.urlsafe_b64encode(bytes(31)),
        base64.urlsafe_b64encode(bytes(33)),
        base64.urlsafe_b64decode(KEY),
    ],
)
def test_a_malformed_key_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="Fernet key"):
        fernet.encryptor(key, IV)
    with pytest.raises(ValueError, match="Fernet key"):
        fernet.decryptor(key)


@pytest.mark.parametrize("size", [0, 15, 17])
def test_an_iv_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=r"(?i)iv|nonce"):
        fernet.encryptor(KEY, bytes(size))


@given(plaintexts, st.binary(min_size=16, max_size=16))
def test_the_iv_is_read_from_the_head_of_a_token(plaintext: bytes, iv: bytes) -> None:
    token = b"".join(sealed([plaintext], iv=iv))

    assert fernet.peek_iv(token[: fernet.HEAD_BYTES]) == iv
    assert fernet.peek_iv(token) == iv


def test_no_iv_is_read_from_other_data() -> None:
    head = SHORT[0][: fernet.HEAD_BYTES]
    others = [b"", head[:-1], b"B" + head[1:], head[:-2] + b"==", head[:-1] + b"/", b"\n" + head]

    assert [fernet.peek_iv(other) for other in others] == [None] * len(others)


# --- memory --------------------------------------------------------------------------------------


def test_memory_stays_flat_however_long_the_stream_is() -> None:
    chunk_bytes, chunks = 1024 * 1024, 64
    token = sealed(repeat(os.urandom(chunk_bytes), chunks))

    tracemalloc.start()
    try:
        plaintext_bytes = sum(map(len, transform(fernet.decryptor(KEY), token)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert plaintext_bytes == chunks * chunk_bytes
    assert peak < chunks / 4 * chunk_bytes

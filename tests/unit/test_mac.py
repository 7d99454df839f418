"""The MAC of stored state: equal to GCM, a key of its own for each message, every change found."""

import os

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.crypto.mac import OneTimeMac, is_authentic

KEY = bytes(range(32))
MESSAGE = os.urandom(1000)


def tag_of(*pieces: bytes, key: bytes = KEY) -> bytes:
    mac = OneTimeMac(key)
    for piece in pieces:
        mac.update(piece)
    return mac.finalize()


@given(st.lists(st.binary(max_size=50)))
def test_the_tag_equals_that_of_gcm_without_plaintext(pieces: list[bytes]) -> None:
    """`cryptography`'s one-shot interface computes the expected tag, under the derived key."""
    tag = tag_of(*pieces)
    context = b"pht backup, AES-256-GMAC, version 1"
    own = HKDF(hashes.SHA256(), 32, salt=tag[:16], info=context).derive(KEY)
    assert AESGCM(own).encrypt(bytes(12), b"", b"".join(pieces)) == tag[16:]


def test_a_message_is_authentic_however_it_is_cut() -> None:
    assert is_authentic([MESSAGE[:1], b"", MESSAGE[1:]], tag_of(MESSAGE), KEY)
    assert is_authentic([], tag_of(), KEY)


def test_no_two_messages_share_a_key() -> None:
    assert tag_of(MESSAGE) != tag_of(MESSAGE)


@pytest.mark.parametrize(
    "changed",
    [MESSAGE[:-1], MESSAGE + b"\0", bytes([MESSAGE[0] ^ 1]) + MESSAGE[1:], b""],
    ids=["shorter", "longer", "other", "empty"],
)
def test_a_changed_message_is_not_authentic(changed: bytes) -> None:
    assert not is_authentic([changed], tag_of(MESSAGE), KEY)


@pytest.mark.parametrize("place", [0, 15, 16, 31])
def test_a_changed_tag_is_not_authentic(place: int) -> None:
    tag = bytearray(tag_of(MESSAGE))
    tag[place] ^= 1
    assert not is_authentic([MESSAGE], bytes(tag), KEY)


@pytest.mark.parametrize("length", [0, 15, 16, 31, 33])
def test_a_tag_of_another_length_is_not_authentic(length: int) -> None:
    tag = (tag_of(MESSAGE) + b"\0")[:length]
    assert not is_authentic([MESSAGE], tag, KEY)


def test_a_tag_of_another_station_is_not_authentic() -> None:
    assert not is_authentic([MESSAGE], tag_of(MESSAGE, key=bytes(32)), KEY)

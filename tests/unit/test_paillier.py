"""Paillier keys: new pairs, and reading those of the users' application."""

import json
import math
import stat
from pathlib import Path
from typing import Any

import pytest

from entrypoint.author import paillier
from entrypoint.author.keygen import keygen_paillier
from entrypoint.crypto.paillier_key import PaillierKey
from entrypoint.errors import MissingInput, SettingsError, UsageError
from tests.desk import Said
from tests.reference_paillier import (
    LAMBDA,
    MU,
    PRIVATE,
    PUBLIC,
    RECORDED,
    RECORDED_NUMBER,
    SIMPLE,
    SIMPLE_MU,
    SIMPLE_PRIVATE,
    G,
    N,
    decrypt,
    encrypt,
    write_key,
)
from tests.station import pht

OF_TRAIN = PaillierKey(N, G)
SIMPLE_PAIR = {**SIMPLE_PRIVATE, "publicKey": SIMPLE}
LARGEST = (1 << 6144) - 1
NO_PUBLIC_KEY = "is no object with exactly the members n and g"
NO_PRIVATE_KEY = "is no object with the members lambda, mu and perhaps publicKey"


def read_public(path: Path) -> tuple[PaillierKey, str]:
    said = Said()
    return paillier.read_public(path, said), said.text


# New pairs


def test_the_two_files_are_one_pair_in_the_form_of_the_application(tmp_path: Path) -> None:
    said = Said()
    keygen_paillier(tmp_path / "user", bits=2048, password_file=None, report=said)

    private, public = (tmp_path / f"user.paillier.{half}.json" for half in ("private", "public"))
    numbers, key = json.loads(private.read_text()), json.loads(public.read_text())
    n, g = int(key["n"]), int(key["g"])
    assert (n.bit_length(), g, list(key)) == (2048, n + 1, ["n", "g"])
    assert numbers["publicKey"] == key
    assert decrypt(encrypt(5000, n, g), numbers, n) == 5000
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert sorted(tmp_path.iterdir()) == [private, public]
    assert f"warning: {private} has no password" in said.text
    assert numbers["lambda"] not in said.text


def test_new_keys_are_read_again(tmp_path: Path) -> None:
    done = pht("keygen", tmp_path / "user", "--paillier")
    assert done.status == 0, done.stderr

    key, said = read_public(tmp_path / "user.paillier.public.json")
    private = paillier.read_private(tmp_path / "user.paillier.private.json", None)
    assert (key.bits, said) == (3072, "")
    assert private.public == key


@pytest.mark.parametrize("bits", [0, 1024, 2047, 6145])
def test_a_size_that_is_too_short_or_too_long_is_refused(bits: int, tmp_path: Path) -> None:
    done = pht("keygen", tmp_path / "user", "--paillier", "--bits", str(bits))
    assert (done.status, done.code) == (64, "key-size-refused")
    assert "2048 to 6144 bits" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_refused(tmp_path: Path) -> None:
    done = pht("keygen", tmp_path / "user", "--paillier", "--password-file", tmp_path / "password")
    assert (done.status, done.code) == (64, "options-contradict")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("half", ["private", "public"])
def test_nothing_is_overwritten(half: str, tmp_path: Path) -> None:
    existing = tmp_path / f"user.paillier.{half}.json"
    existing.write_text("precious")
    with pytest.raises(UsageError) as refused:
        keygen_paillier(tmp_path / "user", bits=2048, password_file=None, report=Said())
    assert refused.value.code == "key-exists"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


# Public keys


def test_a_public_key_of_the_application_is_read_and_called_weak(tmp_path: Path) -> None:
    key, said = read_public(write_key(tmp_path / "key", PUBLIC))
    assert (key.n, key.g) == (N, G)
    assert "warning: the Paillier key" in said
    assert "only 128 bits" in said


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (PRIVATE, "is a private key"),
        ({**PRIVATE, "publicKey": PUBLIC}, "is a private key"),
        ({**PUBLIC, "lambda": "1"}, "is a private key"),
        ({**PUBLIC, "p": "1"}, NO_PUBLIC_KEY),
        ({"n": PUBLIC["n"]}, NO_PUBLIC_KEY),
        ([PUBLIC], NO_PUBLIC_KEY),
        (5, NO_PUBLIC_KEY),
        ({**PUBLIC, "n": N}, "has a member n that is no text of digits, or too long"),
        ({**PUBLIC, "n": f"-{N}"}, "has a member n that"),
        ({**PUBLIC, "n": f"{N:x}"}, "has a member n that"),
        ({**PUBLIC, "n": f"{N} "}, "has a member n that"),
        ({**PUBLIC, "n": "١٢"}, "has a member n that"),
        ({**PUBLIC, "n": ""}, "has a member n that"),
        ({**PUBLIC, "g": "1" * 4301}, "has a member g that"),
        ({"n": str(N // 2), "g": "2"}, "has 127 bits, not 128 to 6144"),
        ({"n": str(2 * LARGEST + 1), "g": "2"}, "has 6145 bits"),
        ({**PUBLIC, "g": "0"}, "has a g that does not belong to its n"),
        ({**PUBLIC, "g": "1"}, "has a g that"),
        ({**PUBLIC, "g": str(N)}, "has a g that"),
        ({**PUBLIC, "g": str(N * N + 1)}, "has a g that"),
    ],
)
def test_what_is_no_public_key_is_refused(key: object, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        read_public(write_key(tmp_path / "key", key))
    assert refused.value.code == "paillier-key-unusable"
    assert f"key {problem}" in refused.value.message


def test_the_longest_key_is_read(tmp_path: Path) -> None:
    longest = {"n": str(LARGEST), "g": str(LARGEST * LARGEST - 1)}
    assert read_public(write_key(tmp_path / "key", longest))[0].bits == 6144


@pytest.mark.parametrize(
    ("contents", "problem"),
    [
        (b"-----BEGIN PUBLIC KEY-----", "is not JSON"),
        (json.dumps(PUBLIC).encode("utf-16"), "is not UTF-8"),
        (b'{"n": "1", "n": "2", "g": "1"}', "has the key 'n' twice"),
        (b"[[[[]]]]", "is nested deeper"),
    ],
)
def test_what_is_no_json_is_refused(contents: bytes, problem: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(contents)
    with pytest.raises(SettingsError, match=problem):
        read_public(tmp_path / "key")


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingInput):
        read_public(tmp_path / "key")
    with pytest.raises(MissingInput):
        paillier.read_private(tmp_path / "key", OF_TRAIN)


# Private keys


@pytest.mark.parametrize(
    ("key", "of_train"),
    [
        (PRIVATE, OF_TRAIN),
        ({**PRIVATE, "publicKey": PUBLIC}, OF_TRAIN),
        ({**PRIVATE, "publicKey": PUBLIC}, None),
    ],
    ids=["public key on the train", "in both", "in the file"],
)
def test_a_private_key_of_the_application_decrypts_what_it_decrypts(
    key: object, of_train: PaillierKey | None, tmp_path: Path
) -> None:
    private = paillier.read_private(write_key(tmp_path / "key", key), of_train)
    assert private.decrypt(RECORDED) == RECORDED_NUMBER
    assert private.decrypt(encrypt(5000)) == 5000
    assert private.decrypt(encrypt(3) * encrypt(4) % N**2) == 7
    assert private.decrypt(encrypt(N - 1)) == N - 1
    assert str(LAMBDA) not in repr(private)
    assert str(MU) not in repr(private)


@pytest.mark.parametrize("encrypted", [-RECORDED, 0, N, 3 * N, N * N, N * N + 5])
def test_what_is_not_encrypted_is_not_decrypted(encrypted: int, tmp_path: Path) -> None:
    private = paillier.read_private(write_key(tmp_path / "key", PRIVATE), OF_TRAIN)
    assert math.gcd(RECORDED, N) == 1
    with pytest.raises(paillier.NotEncrypted):
        private.decrypt(encrypted)


@pytest.mark.parametrize(
    ("key", "of_train", "code", "problem"),
    [
        (PUBLIC, OF_TRAIN, "paillier-key-unusable", "is a public key"),
        ({"mu": PRIVATE["mu"]}, OF_TRAIN, "paillier-key-unusable", NO_PRIVATE_KEY),
        ({**PRIVATE, "more": 1}, OF_TRAIN, "paillier-key-unusable", NO_PRIVATE_KEY),
        (PRIVATE, None, "paillier-key-unusable", "does not hold its publicKey"),
        ({**PRIVATE, "publicKey": 1}, None, "paillier-key-unusable", NO_PUBLIC_KEY),
        ({**PRIVATE, "mu": MU}, OF_TRAIN, "paillier-key-unusable", "has a member mu that"),
        ({**PRIVATE, "mu": str(N)}, OF_TRAIN, "paillier-key-unusable", "that do not fit"),
        ({**PRIVATE, "lambda": "0"}, OF_TRAIN, "paillier-key-unusable", "that do not fit"),
        ({**PRIVATE, "lambda": str(LAMBDA + 1)}, OF_TRAIN, "key-of-someone-else", "on this train"),
        ({**PRIVATE, "mu": str(MU + 1)}, OF_TRAIN, "key-of-someone-else", "on this train"),
        ({**PRIVATE, "mu": str(SIMPLE_MU)}, OF_TRAIN, "key-of-someone-else", "on this train"),
        (SIMPLE_PAIR, OF_TRAIN, "key-of-someone-else", "on this train"),
        ({**PRIVATE, "publicKey": SIMPLE}, None, "key-of-someone-else", "in the same file"),
    ],
)
def test_a_private_key_that_does_not_fit_is_refused(
    key: object, of_train: PaillierKey | None, code: str, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as refused:
        paillier.read_private(write_key(tmp_path / "key", key), of_train)
    assert refused.value.code == code
    assert problem in refused.value.message
    said: Any = (refused.value.message, refused.value.hint)
    assert str(LAMBDA)[:8] not in str(said)

"""RSA keys, envelopes and signatures: bounds, numbers, and one accepted scheme each."""

import base64
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from entrypoint.crypto.digests import sha512
from entrypoint.crypto.envelopes import unwrap, wrap
from entrypoint.crypto.key_files import load_private_key, read_public_key
from entrypoint.crypto.keys import (
    BadKey,
    PrivateKey,
    check_bounds,
    fingerprint,
    load_public_key,
    public_pem,
    same_key,
)
from entrypoint.crypto.mac import journal_key
from entrypoint.crypto.signatures import is_pss_signature, sign_pkcs1, sign_pss
from entrypoint.errors import MissingInput, SettingsError, SystemFailure
from tests import reference

DIGEST = sha512(b"a digest")
SHA512 = hashes.SHA512()


def vector(name: str) -> PrivateKey:
    return load_private_key(reference.vector_key(name, private=True), None, "the vectors")


def numbers_of(name: str) -> dict[str, int]:
    """Return the numbers of a private key in the order of RFC 8017, appendix A.1.2."""
    key = vector(name).private_numbers()
    public = {"n": key.public_numbers.n, "e": key.public_numbers.e}
    return public | {part: getattr(key, part) for part in ("d", "p", "q", "dmp1", "dmq1", "iqmp")}


def pem_of(numbers: dict[str, int]) -> bytes:
    """Return a private key in PEM with any numbers; `cryptography` refuses to make wrong ones."""
    integers = (
        der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))
        for number in (0, *numbers.values())
    )
    body = base64.encodebytes(der(0x30, b"".join(integers)))
    return b"-----BEGIN RSA PRIVATE KEY-----\n%s-----END RSA PRIVATE KEY-----\n" % body


def der(tag: int, contents: bytes) -> bytes:
    """Return an element in DER (X.690)."""
    length = len(contents).to_bytes(2, "big").lstrip(b"\0")
    long_form = b"" if len(contents) < 0x80 else bytes([0x80 | len(length)])
    return bytes([tag]) + long_form + length + contents


def with_composite_factor() -> bytes:
    """Return a key with consistent numbers and a factor that is not prime."""
    p, q = numbers_of("user")["n"], numbers_of("station_1")["q"]
    d = pow(65537, -1, math.lcm(p - 1, q - 1))
    numbers = {"n": p * q, "e": 65537, "d": d, "p": p, "q": q}
    return pem_of(
        numbers | {"dmp1": d % (p - 1), "dmq1": d % (q - 1), "iqmp": pow(q, -1, p)},
    )


def public_key(bits: int, exponent: int = 65537) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(exponent, (1 << (bits - 1)) + 1).public_key()


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [2048, 3072, 4096, 8192])
def test_sizes_within_bounds(bits: int) -> None:
    check_bounds(public_key(bits))


@pytest.mark.parametrize(
    ("bits", "exponent", "problem"),
    [
        (2047, 65537, "has 2047 bits, not 2048 to 8192"),
        (8193, 65537, "has 8193 bits, not 2048 to 8192"),
        (2048, 3, "has a public exponent other than 65537"),
        (2048, 65539, "has a public exponent other than 65537"),
    ],
)
def test_sizes_and_exponents_out_of_bounds(bits: int, exponent: int, problem: str) -> None:
    with pytest.raises(BadKey, match=f"^{problem}$"):
        check_bounds(public_key(bits, exponent))


@pytest.mark.parametrize("name", ["user", *reference.STATIONS])
def test_a_public_key_is_written_as_published_packages_write_it(name: str) -> None:
    pem = reference.vector_key(name)
    assert public_pem(load_public_key(pem)) == pem
    assert same_key(load_public_key(pem), vector(name).public_key())


@pytest.mark.parametrize("one", reference.STATIONS)
@pytest.mark.parametrize("other", reference.STATIONS)
def test_keys_are_the_same_if_their_numbers_are(one: str, other: str) -> None:
    first, second = (load_public_key(reference.vector_key(name)) for name in (one, other))
    assert same_key(first, second) == (one == other)


def test_white_space_and_line_ends_of_a_pem_do_not_matter() -> None:
    pem = reference.vector_key("user")
    expected = load_public_key(pem)
    for variant in (b"\n " + pem, pem + b"\n\n", pem.replace(b"\n", b"\r\n")):
        assert same_key(load_public_key(variant), expected)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl command")
def test_a_fingerprint_is_what_openssl_shows(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(reference.vector_key("user"))
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", tmp_path / "key", "-outform", "DER"],
        capture_output=True,
        check=True,
    ).stdout
    shown = subprocess.run(
        ["openssl", "dgst", "-sha256", "-r"], input=der, capture_output=True, check=True
    ).stdout
    assert fingerprint(vector("user").public_key()) == shown.split()[0].decode()


def test_a_file_with_a_public_key(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(reference.vector_key("user"))
    assert public_pem(read_public_key(file)) == reference.vector_key("user")
    with pytest.raises(MissingInput, match=re.escape(str(tmp_path / "none"))):
        read_public_key(tmp_path / "none")
    file.write_bytes(reference.vector_key("user", private=True))
    with pytest.raises(SettingsError) as caught:
        read_public_key(file)
    assert caught.value.code == "public-key-unusable"


# --- private keys --------------------------------------------------------------------------------


NUMBERS = numbers_of("station_1")
N, _, D, P, Q, DMP1, DMQ1, IQMP = NUMBERS.values()


@pytest.mark.parametrize(
    "other",
    [
        {"n": N + 1},
        {"n": N + 2},
        {"p": 0},
        {"p": P + 1},
        {"p": P + 2},
        {"q": 0},
        {"q": Q + 1},
        {"q": Q + 2},
        {"p": 1, "q": N},
        {"p": N, "q": 1},
        {"p": 2, "n": 2 * Q << 1024, "q": Q << 1024},
        {"p": Q, "n": Q * Q},
        {"p": Q, "q": P},
        {"d": 0},
        {"d": D + 2},
        {"d": D + P - 1},
        {"d": D + Q - 1},
        {"dmp1": 0},
        {"dmp1": DMP1 + P - 1},
        {"dmq1": 0},
        {"dmq1": DMQ1 + Q - 1},
        {"iqmp": 0},
        {"iqmp": IQMP + 1},
        {"iqmp": IQMP + P},
        dict.fromkeys(("d", "p", "q", "dmp1", "dmq1", "iqmp"), 0),
    ],
    ids=",".join,
)
def test_inconsistent_numbers(other: dict[str, int]) -> None:
    pem = pem_of(NUMBERS | other)
    with pytest.raises(SettingsError) as caught:
        load_private_key(pem, None, "a file")
    assert caught.value.code == "private-key-unusable"
    assert caught.value.message == "the private key from a file is not a valid private key in PEM"


def test_a_factor_that_is_not_prime() -> None:
    with pytest.raises(SettingsError) as caught:
        load_private_key(with_composite_factor(), None, "a file")
    assert caught.value.code == "private-key-unusable"


def test_an_equivalent_private_exponent_is_accepted() -> None:
    other = D + math.lcm(P - 1, Q - 1)
    key = load_private_key(pem_of(NUMBERS | {"d": other}), None, "a file")
    assert same_key(key.public_key(), vector("station_1").public_key())


@pytest.mark.parametrize("sign", [sign_pss, sign_pkcs1])
def test_an_invalid_signature_is_not_returned(
    sign: Callable[[PrivateKey, bytes], bytes],
) -> None:
    key = serialization.load_pem_private_key(
        with_composite_factor(), None, unsafe_skip_rsa_key_validation=True
    )
    assert isinstance(key, rsa.RSAPrivateKey)
    with pytest.raises(SystemFailure) as caught:
        sign(key, DIGEST)
    assert (caught.value.code, caught.value.retry) == ("signature-miscomputed", True)


# --- envelopes -----------------------------------------------------------------------------------


def test_an_envelope_opens_with_its_key_only() -> None:
    envelope = wrap(vector("user").public_key(), b"secret")
    assert unwrap(vector("user"), envelope) == b"secret"
    assert unwrap(vector("station_1"), envelope) is None


@pytest.mark.parametrize("length", [0, 1, 255, 257])
def test_data_that_is_no_envelope(length: int) -> None:
    assert unwrap(vector("user"), b"\1" * length) is None


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()])
@pytest.mark.parametrize("place", ["hash", "mask"])
def test_an_envelope_of_another_scheme(algorithm: hashes.HashAlgorithm, place: str) -> None:
    oaep = padding.OAEP(
        padding.MGF1(algorithm if place == "mask" else SHA512),
        algorithm if place == "hash" else SHA512,
        None,
    )
    envelope = vector("user").public_key().encrypt(b"secret", oaep)
    assert unwrap(vector("user"), envelope) is None


def test_an_envelope_with_a_label() -> None:
    oaep = padding.OAEP(padding.MGF1(SHA512), SHA512, b"label")
    assert unwrap(vector("user"), vector("user").public_key().encrypt(b"x", oaep)) is None


def test_the_journal_key_differs_between_stations_and_is_stable() -> None:
    keys = {journal_key(vector(name)) for name in reference.STATIONS}
    assert len(keys) == 3
    assert {len(key) for key in keys} == {32}
    pkcs8 = vector("station_1").private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    again = load_private_key(pkcs8, None, "another file")
    assert journal_key(again) == journal_key(vector("station_1"))


# --- signatures ----------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[2048, 2049, 2055])
def key(request: pytest.FixtureRequest) -> PrivateKey:
    """A key; at 2049 bits the encoded message is a byte shorter than the modulus."""
    return rsa.generate_private_key(65537, request.param)


def pss(salt: int | None = None) -> padding.PSS:
    length = padding.PSS.MAX_LENGTH if salt is None else salt
    return padding.PSS(padding.MGF1(SHA512), length)


def test_a_signature_has_the_longest_salt(key: PrivateKey) -> None:
    prehashed = utils.Prehashed(SHA512)
    signature = sign_pss(key, DIGEST)
    assert is_pss_signature(key.public_key(), signature, DIGEST)
    longest = (key.key_size - 1 + 7) // 8 - 64 - 2
    key.public_key().verify(signature, DIGEST, pss(longest), prehashed)
    with pytest.raises(InvalidSignature):
        key.public_key().verify(signature, DIGEST, pss(longest - 1), prehashed)
    theirs = key.sign(DIGEST, pss(), prehashed)
    assert is_pss_signature(key.public_key(), theirs, DIGEST)


@pytest.mark.parametrize("salt", [0, 20, 32, 64, 189])
def test_a_signature_with_another_salt(salt: int) -> None:
    signer = vector("user")
    signature = signer.sign(DIGEST, pss(salt), utils.Prehashed(SHA512))
    assert not is_pss_signature(signer.public_key(), signature, DIGEST)


def test_a_signature_of_something_else() -> None:
    signer = vector("user")
    signature = sign_pss(signer, DIGEST)
    public = signer.public_key()
    assert not is_pss_signature(public, signature, sha512(DIGEST))
    assert not is_pss_signature(public, signature[:-1], DIGEST)
    assert not is_pss_signature(public, b"\0" + signature, DIGEST)
    assert not is_pss_signature(public, b"", DIGEST)
    assert not is_pss_signature(vector("station_1").public_key(), signature, DIGEST)
    hashed_again = signer.sign(DIGEST, pss(190), SHA512)
    assert not is_pss_signature(public, hashed_again, DIGEST)
    pkcs1 = signer.sign(DIGEST, padding.PKCS1v15(), utils.Prehashed(SHA512))
    assert not is_pss_signature(public, pkcs1, DIGEST)

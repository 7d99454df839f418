"""Whatever a signature, a hash or an envelope covers cannot be changed unnoticed."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from tests import reference
from tests.reference import Config
from tests.station import USER_KEY, assert_refused, edit, new_train, pht, settle

COMMAND = ("sh", "/opt/pht_train/entrypoint.sh")

DEFINITION = (77, "definition-changed")
USER = (77, "user-signature-wrong")
CHAIN = (76, "chain-broken")
RESULTS = (77, "results-unverified")
MALFORMED = (65, "config-malformed")


def flip(text: str, position: int = 40) -> str:
    """Return hex digits with one of them changed by one bit."""
    changed = f"{int(text[position], 16) ^ 1:x}"
    return text[:position] + changed + text[position + 1 :]


def flipped(name: str) -> Callable[[Config], object]:
    return lambda config: config.update({name: flip(config[name])})


def flipped_link(number: int, part: int) -> Callable[[Config], object]:
    def change(config: Config) -> None:
        signature = config["digital_signature"][number]["sig"]
        signature[part] = flip(signature[part])

    return change


def other_modulus(hex_pem: str) -> str:
    """Return a public key that differs in one bit."""
    key = serialization.load_pem_public_key(bytes.fromhex(hex_pem))
    assert isinstance(key, rsa.RSAPublicKey)
    numbers = rsa.RSAPublicNumbers(65537, key.public_numbers().n ^ (1 << 1000))
    return public_pem(numbers.public_key()).hex()


def other_key_of(station: str) -> Callable[[Config], object]:
    def change(config: Config) -> None:
        keys = config["rsa_public_keys"]
        keys[station] = other_modulus(keys[station])

    return change


def public_pem(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


FLIPS: dict[str, tuple[Callable[[Config], object], tuple[int, str]]] = {
    "immutable hash": (flipped("e_h"), DEFINITION),
    "the user's signature": (flipped("e_h_sig"), USER),
    "session id": (flipped("session_id"), DEFINITION),
    "user id": (lambda config: config.update(user_id=config["user_id"] + "x"), DEFINITION),
    "result hash": (flipped("e_d"), RESULTS),
    "signature of the result hash": (flipped("e_d_sig"), RESULTS),
    "signature of the first link": (flipped_link(0, 0), CHAIN),
    "digest of the first link": (flipped_link(0, 1), CHAIN),
    "signature of the last link": (flipped_link(1, 0), CHAIN),
    "digest of the last link": (flipped_link(1, 1), CHAIN),
    "own envelope": (
        lambda config: config["encrypted_key"].update(
            station_3=flip(config["encrypted_key"]["station_3"])
        ),
        RESULTS,
    ),
    "own public key": (other_key_of("station_3"), (78, "own-key-mismatch")),
    "key of the first station": (other_key_of("station_1"), CHAIN),
    "key of the last station": (other_key_of("station_2"), CHAIN),
    "the user's public key": (
        lambda config: config.update(
            rsa_user_public_key=other_modulus(config["rsa_user_public_key"])
        ),
        USER,
    ),
    "order of the file list": (
        lambda config: config["immutable_file_list"].reverse(),
        DEFINITION,
    ),
}


@pytest.mark.parametrize(("change", "refusal"), FLIPS.values(), ids=FLIPS.keys())
def test_one_change_in_a_field(
    change: Callable[[Config], object], refusal: tuple[int, str], root: Path
) -> None:
    edit(root / "opt", change)

    assert_refused(root, *refusal, COMMAND)


# --- the chain -----------------------------------------------------------------------------------

STATION_1 = reference.vector_key("station_1", private=True)
STATION_2 = reference.vector_key("station_2", private=True)


def private(pem: bytes) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def sign(
    pem: bytes, digest: bytes, salt: int = 190, algorithm: hashes.HashAlgorithm | None = None
) -> str:
    """Return a PSS signature as the protocol has it, unless something else is asked for."""
    pss = padding.PSS(padding.MGF1(algorithm or hashes.SHA512()), salt)
    return private(pem).sign(digest, pss, utils.Prehashed(hashes.SHA512())).hex()


def sign_pkcs1(pem: bytes, digest: bytes) -> str:
    prehashed = utils.Prehashed(hashes.SHA512())
    return private(pem).sign(digest, padding.PKCS1v15(), prehashed).hex()


def link_digest(config: Config, number: int) -> bytes:
    return bytes.fromhex(config["digital_signature"][number]["sig"][1])


def signed_again(number: int, sign_digest: Callable[[bytes], str]) -> Callable[[Config], object]:
    """Return a change that replaces the signature of a link by another one of the same digest."""

    def change(config: Config) -> None:
        config["digital_signature"][number]["sig"][0] = sign_digest(link_digest(config, number))

    return change


def unrelated_digest(config: Config) -> None:
    digest = hashlib.sha512(b"unrelated").digest()
    config["digital_signature"][1]["sig"] = [sign(STATION_2, digest), digest.hex()]


def result_signature_as_link(config: Config) -> None:
    config["digital_signature"][1]["sig"] = [config["e_d_sig"], config["e_d"]]


def link_as_result_signature(config: Config) -> None:
    signature, digest = config["digital_signature"][1]["sig"]
    config.update(e_d=digest, e_d_sig=signature)


def chain_of_another_train(config: Config) -> None:
    other = hashlib.sha512(b"another session" * 5).digest()
    first = sign(STATION_1, other)
    config["digital_signature"][0]["sig"] = [first, other.hex()]
    second = hashlib.sha512(bytes.fromhex(first)).digest()
    config["digital_signature"][1]["sig"] = [sign(STATION_2, second), second.hex()]


LINKS: dict[str, Callable[[Config], object]] = {
    "an unrelated digest": unrelated_digest,
    "the result signature": result_signature_as_link,
    "the chain of another train": chain_of_another_train,
    "links swapped": lambda config: config["digital_signature"].reverse(),
    "the first link missing": lambda config: config["digital_signature"].pop(0),
    "stations swapped": lambda config: [
        link.update(station=name)
        for link, name in zip(config["digital_signature"], ("station_2", "station_1"), strict=True)
    ],
    "a link twice": lambda config: config["digital_signature"].append(
        config["digital_signature"][1]
    ),
    "a signature cut short": lambda config: config["digital_signature"][1]["sig"].__setitem__(
        0, config["digital_signature"][1]["sig"][0][:-2]
    ),
    "the first link signed again": signed_again(0, lambda digest: sign(STATION_1, digest)),
    "salt of 64 bytes": signed_again(1, lambda digest: sign(STATION_2, digest, salt=64)),
    "salt of 189 bytes": signed_again(1, lambda digest: sign(STATION_2, digest, salt=189)),
    "no salt": signed_again(1, lambda digest: sign(STATION_2, digest, salt=0)),
    "MGF1 with SHA-256": signed_again(
        1, lambda digest: sign(STATION_2, digest, algorithm=hashes.SHA256())
    ),
    "PKCS1v15 in place of PSS": signed_again(1, lambda digest: sign_pkcs1(STATION_2, digest)),
    "another station's key": signed_again(1, lambda digest: sign(STATION_1, digest)),
}


@pytest.mark.parametrize("change", LINKS.values(), ids=LINKS.keys())
def test_links_that_do_not_follow(change: Callable[[Config], object], root: Path) -> None:
    edit(root / "opt", change)

    assert_refused(root, *CHAIN, COMMAND)


def test_the_middle_of_three_links_missing(tmp_path: Path) -> None:
    opt = reference.lay_out(3, tmp_path)
    settle(tmp_path, "station_1")
    edit(opt, lambda config: config["digital_signature"].pop(1))

    assert_refused(tmp_path, *CHAIN, COMMAND)


def test_a_last_link_that_was_cut_off_with_all_that_it_covers(root: Path) -> None:
    # Links 1 and 2 verify alone, but the results were signed by the second station.
    edit(root / "opt", lambda config: config["digital_signature"].pop())

    assert_refused(root, *RESULTS, COMMAND)


# --- the other signatures ------------------------------------------------------------------------

SIGNERS: dict[str, Callable[[bytes, bytes], str]] = {
    "salt of 64 bytes": lambda pem, digest: sign(pem, digest, salt=64),
    "no salt": lambda pem, digest: sign(pem, digest, salt=0),
    "PKCS1v15 in place of PSS": sign_pkcs1,
    "another key": lambda _, digest: sign(STATION_1, digest),
    "another hash": lambda pem, digest: sign(pem, hashlib.sha512(digest).digest()),
    "nothing": lambda _, __: "00" * 256,
}


@pytest.mark.parametrize(
    ("signed", "key", "refusal"), [("e_d", STATION_2, RESULTS), ("e_h", USER_KEY, USER)]
)
@pytest.mark.parametrize("signer", SIGNERS.values(), ids=SIGNERS.keys())
def test_a_signature_of_another_form(
    signer: Callable[[bytes, bytes], str],
    signed: str,
    key: bytes,
    refusal: tuple[int, str],
    root: Path,
) -> None:
    def sign_otherwise(config: Config) -> None:
        config[f"{signed}_sig"] = signer(key, bytes.fromhex(config[signed]))

    edit(root / "opt", sign_otherwise)

    assert_refused(root, *refusal, COMMAND)


def test_the_link_in_place_of_the_result_signature(root: Path) -> None:
    edit(root / "opt", link_as_result_signature)

    assert_refused(root, *RESULTS, COMMAND)


def test_the_same_signatures_made_again_are_accepted(root: Path) -> None:
    # PSS is salted: only the signatures that later digests cover are bound to their bytes.
    def change(config: Config) -> None:
        config["e_h_sig"] = sign(USER_KEY, bytes.fromhex(config["e_h"]))
        config["e_d_sig"] = sign(STATION_2, bytes.fromhex(config["e_d"]))
        signed_again(1, lambda digest: sign(STATION_2, digest))(config)

    edit(root / "opt", change)

    assert pht("check", root=root).status == 0


# --- keys ----------------------------------------------------------------------------------------


def with_numbers(exponent: int, bits: int) -> bytes:
    """Return a public key of any size; what matters here is that nobody uses it."""
    return public_pem(rsa.RSAPublicNumbers(exponent, (1 << (bits - 1)) + 1).public_key())


def pkcs1(name: str) -> bytes:
    key = private(reference.vector_key(name, private=True)).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)


ODD_KEYS: dict[str, Callable[[], bytes]] = {
    "1024 bits": lambda: with_numbers(65537, 1024),
    "2047 bits": lambda: with_numbers(65537, 2047),
    "8193 bits": lambda: with_numbers(65537, 8193),
    "16384 bits": lambda: with_numbers(65537, 16384),
    "e = 3": lambda: with_numbers(3, 2048),
    "e = 17": lambda: with_numbers(17, 2048),
    "elliptic curve": lambda: public_pem(ec.generate_private_key(ec.SECP256R1()).public_key()),
    "PKCS#1, cut short": lambda: pkcs1("user")[:-60],
    "private PEM": lambda: USER_KEY,
    "no PEM": lambda: b"not a key",
    "a PEM of nothing": lambda: b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
    "a PEM cut short": lambda: reference.vector_key("user")[:-60],
}


@pytest.mark.parametrize("pem", ODD_KEYS.values(), ids=ODD_KEYS.keys())
@pytest.mark.parametrize("whose", ["user", "another station"])
def test_keys_out_of_bounds(whose: str, pem: Callable[[], bytes], root: Path) -> None:
    def change(config: Config) -> None:
        if whose == "user":
            config["rsa_user_public_key"] = pem().hex()
        else:
            config["rsa_public_keys"]["station_1"] = pem().hex()

    edit(root / "opt", change)

    assert_refused(root, *MALFORMED, COMMAND)


def test_the_key_of_another_station(root: Path) -> None:
    settle(root, "station_3", reference.vector_key("station_1", private=True))

    assert_refused(root, 78, "own-key-mismatch", COMMAND)


def test_a_station_that_is_not_on_the_route(root: Path) -> None:
    settle(root, "station_9", reference.vector_key("station_1", private=True))

    assert_refused(root, 76, "station-not-on-route", COMMAND)


def test_an_envelope_of_another_length(root: Path) -> None:
    edit(root / "opt", lambda config: config["encrypted_key"].update(station_3="00"))

    assert_refused(root, *RESULTS, COMMAND)


@pytest.mark.parametrize("secret", [b"short", b"x" * 44, b"", bytes(44)], ids=repr)
def test_an_envelope_with_no_key_inside(secret: bytes, root: Path) -> None:
    public = private(reference.vector_key("station_3", private=True)).public_key()
    oaep = padding.OAEP(padding.MGF1(hashes.SHA512()), hashes.SHA512(), None)
    envelope = public.encrypt(secret, oaep).hex()
    edit(root / "opt", lambda config: config["encrypted_key"].update(station_3=envelope))

    assert_refused(root, *RESULTS, COMMAND)


def test_secret_dependent_refusals_look_alike(root: Path) -> None:
    """A forger who tries variants learns nothing about which check has failed."""
    said = set()
    config = root / "opt" / "train_config.json"
    original = config.read_bytes()
    for name in ("own envelope", "result hash", "signature of the result hash"):
        edit(root / "opt", FLIPS[name][0])
        said.add(pht("check", root=root).stderr)
        config.write_bytes(original)
    token = root / "opt" / "pht_results" / "counter"
    token.write_bytes(token.read_bytes()[:-1])
    said.add(pht("check", root=root).stderr)

    assert len(said) == 1


def test_another_users_signature_of_the_same_files(tmp_path: Path) -> None:
    opt = new_train(tmp_path, "")
    other = reference.vector_key("station_2")
    settle(tmp_path, "station_1")
    edit(opt, lambda config: config.update(rsa_user_public_key=other.hex()))

    assert_refused(tmp_path, *USER)

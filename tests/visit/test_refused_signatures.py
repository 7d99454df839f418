"""Changed signatures, hashes, keys and envelopes are refused."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, utils

from tests import reference
from tests.reference import Config
from tests.reference_rsa import private
from tests.station import (
    USER_KEY,
    assert_refused,
    assert_refused_quickly,
    check,
    edit,
    new_train,
    settle,
)
from tests.visit.changed_fields import CHAIN, CHANGED_FIELDS, RESULTS, USER
from tests.visit.changed_keys import ODD_KEYS

COMMAND = ("sh", "/opt/pht_train/entrypoint.sh")

MALFORMED = (65, "config-malformed")


@pytest.mark.parametrize(("change", "refusal"), CHANGED_FIELDS.values(), ids=CHANGED_FIELDS.keys())
def test_one_change_in_a_field(
    change: Callable[[Config], object], refusal: tuple[int, str], root: Path
) -> None:
    edit(root / "opt", change)

    assert_refused(root, *refusal, COMMAND)


# --- the chain -----------------------------------------------------------------------------------

STATION_1 = reference.vector_key("station_1", private=True)
STATION_2 = reference.vector_key("station_2", private=True)


def sign_pss(
    pem: bytes, digest: bytes, salt: int = 190, algorithm: hashes.HashAlgorithm | None = None
) -> str:
    """Return a PSS signature, by default with the salt and the hash of the protocol."""
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
    config["digital_signature"][1]["sig"] = [sign_pss(STATION_2, digest), digest.hex()]


def result_signature_as_link(config: Config) -> None:
    config["digital_signature"][1]["sig"] = [config["e_d_sig"], config["e_d"]]


def link_as_result_signature(config: Config) -> None:
    signature, digest = config["digital_signature"][1]["sig"]
    config.update(e_d=digest, e_d_sig=signature)


def chain_of_another_train(config: Config) -> None:
    other = hashlib.sha512(b"another session" * 5).digest()
    first = sign_pss(STATION_1, other)
    config["digital_signature"][0]["sig"] = [first, other.hex()]
    second = hashlib.sha512(bytes.fromhex(first)).digest()
    config["digital_signature"][1]["sig"] = [sign_pss(STATION_2, second), second.hex()]


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
    "the first link signed again": signed_again(0, lambda digest: sign_pss(STATION_1, digest)),
    "salt of 64 bytes": signed_again(1, lambda digest: sign_pss(STATION_2, digest, salt=64)),
    "salt of 189 bytes": signed_again(1, lambda digest: sign_pss(STATION_2, digest, salt=189)),
    "no salt": signed_again(1, lambda digest: sign_pss(STATION_2, digest, salt=0)),
    "MGF1 with SHA-256": signed_again(
        1, lambda digest: sign_pss(STATION_2, digest, algorithm=hashes.SHA256())
    ),
    "PKCS1v15 in place of PSS": signed_again(1, lambda digest: sign_pkcs1(STATION_2, digest)),
    "another station's key": signed_again(1, lambda digest: sign_pss(STATION_1, digest)),
}


@pytest.mark.parametrize("change", LINKS.values(), ids=LINKS.keys())
def test_links_that_do_not_follow(change: Callable[[Config], object], root: Path) -> None:
    edit(root / "opt", change)

    assert_refused_quickly(root, *CHAIN)


def test_the_middle_of_three_links_missing(tmp_path: Path) -> None:
    opt = reference.lay_out(3, tmp_path)
    settle(tmp_path, "station_1")
    edit(opt, lambda config: config["digital_signature"].pop(1))

    assert_refused_quickly(tmp_path, *CHAIN)


def test_a_last_link_that_was_cut_off_with_all_that_it_covers(root: Path) -> None:
    # Links 1 and 2 verify alone, but the results were signed by the second station.
    edit(root / "opt", lambda config: config["digital_signature"].pop())

    assert_refused_quickly(root, *RESULTS)


# --- the other signatures ------------------------------------------------------------------------

SIGNERS: dict[str, Callable[[bytes, bytes], str]] = {
    "salt of 64 bytes": lambda pem, digest: sign_pss(pem, digest, salt=64),
    "no salt": lambda pem, digest: sign_pss(pem, digest, salt=0),
    "PKCS1v15 in place of PSS": sign_pkcs1,
    "another key": lambda _, digest: sign_pss(STATION_1, digest),
    "another hash": lambda pem, digest: sign_pss(pem, hashlib.sha512(digest).digest()),
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

    assert_refused_quickly(root, *refusal)


def test_the_link_in_place_of_the_result_signature(root: Path) -> None:
    edit(root / "opt", link_as_result_signature)

    assert_refused_quickly(root, *RESULTS)


def test_the_same_signatures_made_again_are_accepted(root: Path) -> None:
    # PSS is salted: only the signatures that later digests cover are bound to their bytes.
    def change(config: Config) -> None:
        config["e_h_sig"] = sign_pss(USER_KEY, bytes.fromhex(config["e_h"]))
        config["e_d_sig"] = sign_pss(STATION_2, bytes.fromhex(config["e_d"]))
        signed_again(1, lambda digest: sign_pss(STATION_2, digest))(config)

    edit(root / "opt", change)

    assert check(root).status == 0


# --- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pem", ODD_KEYS.values(), ids=ODD_KEYS.keys())
@pytest.mark.parametrize("whose", ["user", "another station"])
def test_keys_out_of_bounds(whose: str, pem: Callable[[], bytes], root: Path) -> None:
    def change(config: Config) -> None:
        if whose == "user":
            config["rsa_user_public_key"] = pem().hex()
        else:
            config["rsa_public_keys"]["station_1"] = pem().hex()

    edit(root / "opt", change)

    assert_refused_quickly(root, *MALFORMED)


def test_the_key_of_another_station(root: Path) -> None:
    settle(root, "station_3", reference.vector_key("station_1", private=True))

    assert_refused_quickly(root, 78, "own-key-mismatch")


def test_a_station_that_is_not_on_the_route(root: Path) -> None:
    settle(root, "station_9", reference.vector_key("station_1", private=True))

    assert_refused_quickly(root, 76, "station-not-on-route")


def test_an_envelope_of_another_length(root: Path) -> None:
    edit(root / "opt", lambda config: config["encrypted_key"].update(station_3="00"))

    assert_refused_quickly(root, *RESULTS)


@pytest.mark.parametrize("secret", [b"short", b"x" * 44, b"", bytes(44)], ids=repr)
def test_an_envelope_with_no_key_inside(secret: bytes, root: Path) -> None:
    public = private(reference.vector_key("station_3", private=True)).public_key()
    oaep = padding.OAEP(padding.MGF1(hashes.SHA512()), hashes.SHA512(), None)
    envelope = public.encrypt(secret, oaep).hex()
    edit(root / "opt", lambda config: config["encrypted_key"].update(station_3=envelope))

    assert_refused_quickly(root, *RESULTS)


def test_secret_dependent_refusals_look_alike(root: Path) -> None:
    """A forger who tries variants learns nothing about which check has failed."""
    said = set()
    config = root / "opt" / "train_config.json"
    original = config.read_bytes()
    for name in ("own envelope", "result hash", "signature of the result hash"):
        edit(root / "opt", CHANGED_FIELDS[name][0])
        said.add(check(root).stderr)
        config.write_bytes(original)
    token = root / "opt" / "pht_results" / "counter"
    token.write_bytes(token.read_bytes()[:-1])
    said.add(check(root).stderr)

    assert len(said) == 1


def test_another_users_signature_of_the_same_files(tmp_path: Path) -> None:
    opt = new_train(tmp_path, "")
    other = reference.vector_key("station_2")
    settle(tmp_path, "station_1")
    edit(opt, lambda config: config.update(rsa_user_public_key=other.hex()))

    assert_refused_quickly(tmp_path, *USER)

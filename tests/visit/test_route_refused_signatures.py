"""Changed signatures, hashes and envelopes of the route generation are refused."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, utils

from tests import reference, reference_route
from tests.reference import Config
from tests.reference_rsa import private, sign, sign_data, wrap
from tests.station import (
    BUILDER_KEY,
    USER_KEY,
    assert_refused_quickly,
    edit,
    in_process,
    new_route_train,
    settle,
)
from tests.visit.changed_keys import ODD_KEYS
from tests.visit.changed_route_fields import (
    BUILDER,
    CHAIN,
    CHANGED_FIELDS,
    UNVERIFIED,
    USER,
    Change,
    slot,
)

WIRE = reference_route
"""The generation of the trains of the fixtures."""


STATION_1, STATION_2 = (
    private(reference.vector_key(name, private=True)) for name in ("station_1", "station_2")
)


@pytest.mark.parametrize(("change", "refusal"), CHANGED_FIELDS.values(), ids=CHANGED_FIELDS.keys())
def test_one_change_in_a_field(change: Change, refusal: tuple[int, str], root: Path) -> None:
    edit(root / "opt", change)

    assert_refused_quickly(root, *refusal)


# --- signatures of another form ------------------------------------------------------------------


def pss_of_hash(key: bytes, data: bytes) -> str:
    """Return a PSS signature, as results have it, in place of PKCS #1 v1.5."""
    return sign(private(key), hashlib.sha512(data).digest())


def prehashed(key: bytes, data: bytes) -> str:
    """Return a PKCS #1 v1.5 signature that takes the first 64 bytes of the data for its hash."""
    algorithm = utils.Prehashed(hashes.SHA512())
    return private(key).sign(data[:64], padding.PKCS1v15(), algorithm).hex()


def with_sha256(key: bytes, data: bytes) -> str:
    return private(key).sign(data, padding.PKCS1v15(), hashes.SHA256()).hex()


SIGNERS: dict[str, Callable[[bytes, bytes], str]] = {
    "PSS": pss_of_hash,
    "prehashed": prehashed,
    "SHA-256": with_sha256,
    "another key": lambda _, data: sign_data(STATION_1, data),
    "other data": lambda key, data: sign_data(private(key), data + b"x"),
    "cut short": lambda key, data: sign_data(private(key), data)[:-2],
    "nothing": lambda _, __: "00" * 256,
}


@pytest.mark.parametrize("signer", SIGNERS.values(), ids=SIGNERS.keys())
def test_a_user_signature_of_another_form(
    signer: Callable[[bytes, bytes], str], root: Path
) -> None:
    def change(config: Config) -> None:
        config["signature"] = signer(USER_KEY, bytes.fromhex(config["hash"]))

    edit(root / "opt", change)

    assert_refused_quickly(root, *USER)


@pytest.mark.parametrize("signer", SIGNERS.values(), ids=SIGNERS.keys())
def test_a_builder_signature_of_another_form(
    signer: Callable[[bytes, bytes], str], root: Path
) -> None:
    def change(config: Config) -> None:
        signed = bytes.fromhex(config["hash"] + config["signature"])
        config["build"]["signature"] = signer(BUILDER_KEY, signed)

    edit(root / "opt", change)

    assert_refused_quickly(root, *BUILDER)


def test_a_builder_who_signs_the_hash_alone(root: Path) -> None:
    def change(config: Config) -> None:
        signature = sign_data(private(BUILDER_KEY), bytes.fromhex(config["hash"]))
        config["build"]["signature"] = signature

    edit(root / "opt", change)

    assert_refused_quickly(root, *BUILDER)


def with_salt(salt: int) -> Change:
    """Return a change that signs the last digest again with another salt."""

    def change(config: Config) -> None:
        scheme = padding.PSS(padding.MGF1(hashes.SHA512()), salt)
        digest = bytes.fromhex(slot(config, 1)["digest"])
        signature = STATION_2.sign(digest, scheme, utils.Prehashed(hashes.SHA512()))
        slot(config, 1)["signature"] = signature.hex()

    return change


def signed(number: int, digest: bytes) -> Change:
    """Return a change after which the signature of a stop is valid, for another digest."""
    key = (STATION_1, STATION_2)[number]
    filled = {"digest": digest.hex(), "signature": sign(key, digest)}
    return lambda config: slot(config, number).update(filled)


def result_signature_as_link(config: Config) -> None:
    filled = {"digest": config["result_hash"], "signature": config["result_signature"]}
    slot(config, 1).update(filled)


def pkcs1_as_link(config: Config) -> None:
    digest = bytes.fromhex(slot(config, 1)["digest"])
    slot(config, 1)["signature"] = sign_data(STATION_2, digest)


def slots_swapped(config: Config) -> None:
    one, other = config["route"][:2]
    one["signature"], other["signature"] = other["signature"], one["signature"]


def an_earlier_digest_signed_again(config: Config) -> None:
    signed(0, hashlib.sha512(b"another").digest())(config)


LINKS: dict[str, Change] = {
    "salt of 64 bytes": with_salt(64),
    "salt of 189 bytes": with_salt(189),
    "no salt": with_salt(0),
    "PKCS #1 v1.5": pkcs1_as_link,
    "an unrelated digest": signed(1, hashlib.sha512(b"unrelated").digest()),
    "the result signature": result_signature_as_link,
    "the first digest again": lambda config: signed(1, bytes.fromhex(slot(config, 0)["digest"]))(
        config
    ),
    "slots swapped": slots_swapped,
    "an earlier digest altered": an_earlier_digest_signed_again,
}


@pytest.mark.parametrize("change", LINKS.values(), ids=LINKS.keys())
def test_links_that_do_not_follow(change: Change, root: Path) -> None:
    edit(root / "opt", change)

    assert_refused_quickly(root, *CHAIN)


def test_the_chain_of_another_train(root: Path, tmp_path: Path) -> None:
    opt = new_route_train(tmp_path / "other", "")
    key = reference.vector_key("station_1", private=True)
    reference_route.published_pre_run(opt, "station_1", key)
    reference_route.published_post_run(opt, "station_1", key)
    other = reference.load_config(opt)["route"][0]["signature"]
    edit(root / "opt", lambda config: slot(config, 0).update(other))

    assert_refused_quickly(root, *CHAIN)


def test_results_of_another_stop_that_the_last_one_has_signed(root: Path) -> None:
    def change(config: Config) -> None:
        digest = hashlib.sha512(b"others").digest()
        config.update(result_hash=digest.hex(), result_signature=sign(STATION_2, digest))

    edit(root / "opt", change)

    assert_refused_quickly(root, *CHAIN)


# --- keys and envelopes --------------------------------------------------------------------------


@pytest.mark.parametrize("pem", ODD_KEYS.values(), ids=ODD_KEYS.keys())
def test_keys_out_of_bounds(pem: Callable[[], bytes], root: Path) -> None:
    def change(config: Config) -> None:
        for part in (config["creator"], config["build"], config["route"][0]):
            part["rsa_public_key"] = pem().hex()

    edit(root / "opt", change)

    said = [line for line in in_process("check", root).lines if line.startswith("pht:   - ")]
    names = [line.split("rsa_public_key")[0].removeprefix("pht:   - ") for line in said]
    assert sorted(names) == ["build.", "creator.", "route entry 1 "]
    assert_refused_quickly(root, 65, "config-malformed")


def test_the_key_of_another_station(root: Path) -> None:
    settle(root, "station_3", reference.vector_key("station_1", private=True))

    assert_refused_quickly(root, 78, "own-key-mismatch")


@pytest.mark.parametrize("secret", [b"short", bytes(31), bytes(32), bytes(33), b"x" * 44], ids=len)
def test_an_envelope_with_another_key_inside(secret: bytes, root: Path) -> None:
    def change(config: Config) -> None:
        stop = config["route"][2]
        stop["encrypted_key"] = wrap(stop["rsa_public_key"], secret).hex()

    edit(root / "opt", change)

    assert_refused_quickly(root, *UNVERIFIED)


def test_an_envelope_of_another_length(root: Path) -> None:
    edit(root / "opt", lambda config: config["route"][2].update(encrypted_key="00"))

    assert_refused_quickly(root, *UNVERIFIED)

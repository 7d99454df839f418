"""Whatever signatures, hashes and envelopes of the route generation cover is not changed unnoticed.

Everything that depends on the symmetric key is refused with one code, whichever file it is about.
"""

import hashlib
import os
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
    assert_refused,
    assert_refused_quickly,
    edit,
    in_process,
    new_route_train,
    settle,
    visit,
)
from tests.visit.changed_keys import ODD_KEYS
from tests.visit.changed_route_fields import (
    BUILDER,
    CHAIN,
    CHANGED_FIELDS,
    DIFFER,
    UNVERIFIED,
    USER,
    Change,
    slot,
)
from tests.visit.planted_files import PLANTED

WIRE = reference_route
"""Of which generation the trains of the fixtures are."""


STATION_1, STATION_2 = (
    private(reference.vector_key(name, private=True)) for name in ("station_1", "station_2")
)


@pytest.mark.parametrize(("change", "refusal"), CHANGED_FIELDS.values(), ids=CHANGED_FIELDS.keys())
def test_one_change_in_a_field(change: Change, refusal: tuple[int, str], root: Path) -> None:
    edit(root / "opt", change)

    assert_refused_quickly(root, *refusal)


# --- signatures of another form ------------------------------------------------------------------


def pss(key: bytes, data: bytes) -> str:
    """Return what the results are signed with, in place of PKCS #1 v1.5."""
    return sign(private(key), hashlib.sha512(data).digest())


def prehashed(key: bytes, data: bytes) -> str:
    """Return a PKCS #1 v1.5 signature that takes the data for a hash already."""
    algorithm = utils.Prehashed(hashes.SHA512())
    return private(key).sign(data[:64], padding.PKCS1v15(), algorithm).hex()


def with_sha256(key: bytes, data: bytes) -> str:
    return private(key).sign(data, padding.PKCS1v15(), hashes.SHA256()).hex()


SIGNERS: dict[str, Callable[[bytes, bytes], str]] = {
    "PSS": pss,
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
    """Return a change by which a stop signs, correctly, another digest."""
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


# --- immutable files -----------------------------------------------------------------------------

NAMES = sorted(path for path in reference.result_files(reference_route.VECTORS / "train"))


def change_byte(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def swap(folder: Path, one: str, other: str) -> None:
    (folder / one).rename(folder / "aside")
    (folder / other).rename(folder / one)
    (folder / "aside").rename(folder / other)


def swap_blocks(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:32] + data[48:64] + data[32:48] + data[64:])


def key_of_stage(stage: int) -> bytes:
    return (reference_route.VECTORS / reference.STAGES[stage] / "sym_key.plain").read_bytes()


def seal_other_code(train: Path) -> None:
    """Do what another station on the route could: it knows the key."""
    (train / "a.txt").write_bytes(reference_route.encrypt(key_of_stage(2), b"other code"))


def take_earlier(train: Path) -> None:
    earlier = reference_route.VECTORS / reference.STAGES[1] / "train_encrypted"
    (train / "a.txt").write_bytes((earlier / "a.txt").read_bytes())


DEFINITION: dict[str, Callable[[Path], object]] = {
    "a bit of an IV": lambda train: change_byte(train / "entrypoint.sh", 3),
    "a bit of a block": lambda train: change_byte(train / "entrypoint.sh", 100),
    "a bit of the padding": lambda train: change_byte(train / "entrypoint.sh", -1),
    "a bit of an empty file": lambda train: change_byte(train / "empty.txt", 20),
    "a bit of the query": lambda train: change_byte(train / "query.json", 40),
    "two blocks swapped": lambda train: swap_blocks(train / "entrypoint.sh"),
    "truncated": lambda train: os.truncate(train / "entrypoint.sh", 500),
    "a block less": lambda train: os.truncate(train / "entrypoint.sh", 960),
    "emptied": lambda train: os.truncate(train / "B.txt", 0),
    "only an IV": lambda train: os.truncate(train / "B.txt", 16),
    "two files swapped": lambda train: swap(train, "a.txt", "B.txt"),
    "plaintext": lambda train: (train / "B.txt").write_bytes(b"in clear\n"),
    "other code under the right key": seal_other_code,
    "a file of an earlier stop": take_earlier,
    "no query": lambda train: (train / "query.json").unlink(),
    "the query emptied": lambda train: os.truncate(train / "query.json", 0),
}


@pytest.mark.parametrize("change", DEFINITION.values(), ids=DEFINITION.keys())
def test_immutable_files_that_the_user_has_not_signed(
    change: Callable[[Path], object], root: Path
) -> None:
    change(root / "opt" / "pht_train")

    assert_refused_quickly(root, *UNVERIFIED)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "query.json"])
def test_a_missing_immutable_file(name: str, root: Path) -> None:
    (root / "opt" / "pht_train" / name).unlink()

    assert_refused_quickly(root, *DIFFER)


@pytest.mark.parametrize(("change", "named"), PLANTED.values(), ids=PLANTED.keys())
def test_something_beside_the_signed_files(
    change: Callable[[Path], object], named: str, root: Path
) -> None:
    change(root / "opt" / "pht_train")

    said = in_process("check", root).lines
    assert [line for line in said if line.startswith("pht:   - ") and named in line]
    assert_refused_quickly(root, *DIFFER)


def test_two_names_of_one_encrypted_file(root: Path) -> None:
    train = root / "opt" / "pht_train"
    (train / "a.txt").unlink()
    (train / "a.txt").hardlink_to(train / "B.txt")

    assert "pht:   - a.txt is a hard link" in in_process("check", root).lines
    assert_refused_quickly(root, *DIFFER)


def test_a_query_planted_in_a_train_that_has_none(tmp_path: Path) -> None:
    opt = new_route_train(tmp_path, "")
    settle(tmp_path, "station_1")
    key = reference.vector_key("station_1", private=True)
    symmetric = reference_route.symmetric_key(opt, key, "station_1")
    (opt / "pht_train" / "query.json").write_bytes(reference_route.encrypt(symmetric, b"{}"))

    assert_refused_quickly(tmp_path, *UNVERIFIED)


def test_a_train_in_plaintext_is_not_visited_with_a_key(root: Path) -> None:
    for name in NAMES:
        content = (reference_route.VECTORS / "train" / name).read_bytes()
        (root / "opt" / "pht_train" / name).write_bytes(content)

    assert_refused(root, *UNVERIFIED, ("sh", "/opt/pht_train/entrypoint.sh"))


# --- results -------------------------------------------------------------------------------------

RESULTS: dict[str, Callable[[Path], object]] = {
    "a bit of an IV": lambda results: change_byte(results / "counter", 0),
    "a bit of a block": lambda results: change_byte(results / "new/seq.txt", 200),
    "a bit of the padding": lambda results: change_byte(results / "new/seq.txt", -1),
    "a bit of an empty file": lambda results: change_byte(results / "empty.bin", 5),
    "two blocks swapped": lambda results: swap_blocks(results / "new/seq.txt"),
    "truncated": lambda results: os.truncate(results / "new/seq.txt", 500),
    "a block less": lambda results: os.truncate(results / "new/seq.txt", 960),
    "emptied": lambda results: os.truncate(results / "counter", 0),
    "removed": lambda results: (results / "counter").unlink(),
    "moved across the order": lambda results: (results / "counter").rename(results / "A"),
    "two swapped": lambda results: swap(results, "a.txt", "counter"),
    "plaintext added": lambda results: (results / "planted").write_bytes(b"x"),
    "an empty file added": lambda results: (results / "planted").touch(),
    "others under the right key": lambda results: (results / "counter").write_bytes(
        reference_route.encrypt(key_of_stage(2), b"9")
    ),
}


@pytest.mark.parametrize("change", RESULTS.values(), ids=RESULTS.keys())
def test_results_that_the_last_stop_did_not_seal(
    change: Callable[[Path], object], root: Path
) -> None:
    change(root / "opt" / "pht_results")

    assert_refused_quickly(root, *UNVERIFIED)


def test_secret_dependent_refusals_look_alike(tmp_path: Path) -> None:
    """A forger who tries variants learns nothing about which check has failed."""
    said = set()
    changes: list[Callable[[Path], object]] = [
        lambda opt: edit(opt, CHANGED_FIELDS["own envelope"][0]),
        lambda opt: edit(opt, CHANGED_FIELDS["hash"][0]),
        lambda opt: DEFINITION["a bit of the padding"](opt / "pht_train"),
        lambda opt: DEFINITION["other code under the right key"](opt / "pht_train"),
        lambda opt: DEFINITION["truncated"](opt / "pht_train"),
    ]
    for number, change in enumerate(changes):
        root = tmp_path / str(number)
        opt = reference_route.lay_out(2, root)
        settle(root, "station_3")
        change(opt)
        said.add(in_process("check", root).stderr)
    assert len(said) == 1

    of_results = set()
    for number, change in enumerate(RESULTS.values(), start=len(changes)):
        root = tmp_path / str(number)
        opt = reference_route.lay_out(2, root)
        settle(root, "station_3")
        change(opt / "pht_results")
        of_results.add(in_process("check", root).stderr)
    assert len(of_results) == 1
    [one], [other] = said, of_results
    assert one.splitlines()[-3:-1] == other.splitlines()[-3:-1]  # error and hint; the stage differs


def test_a_train_that_nobody_has_changed_is_visited(root: Path) -> None:
    """The refusals above are none of what was laid out."""
    assert in_process("check", root).status == 0
    root.joinpath("opt/pht_results/counter").write_bytes(
        reference_route.encrypt(key_of_stage(2), b"2", bytes(16))
    )
    assert in_process("check", root).status == 0, "the same plaintext under another IV"
    assert visit(root, ("sh", "/opt/pht_train/a/b.txt")).status in (2, 127)

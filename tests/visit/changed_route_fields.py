"""One change in each signed or encrypted field of a configuration with a route, and its refusal."""

from collections.abc import Callable

from tests.reference import Config
from tests.vectors.recorded import flip_digit
from tests.visit.changed_keys import other_modulus

Change = Callable[[Config], object]


USER = (77, "user-signature-wrong")
BUILDER = (77, "builder-signature-wrong")
CHAIN = (76, "chain-broken")
UNVERIFIED = (77, "results-unverified")
DIFFER = (65, "train-files-differ")


def slot(config: Config, number: int) -> Config:
    found: Config = config["route"][number]["signature"]
    return found


def flipped_in(part: Callable[[Config], Config], name: str) -> Change:
    """Return a change of one bit of a field in hex."""
    return lambda config: part(config).update({name: flip_digit(part(config)[name])})


def other_key(part: Callable[[Config], Config]) -> Change:
    """Return a change of one bit of a public key."""
    return lambda config: part(config).update(
        rsa_public_key=other_modulus(part(config)["rsa_public_key"])
    )


CHANGED_FIELDS: dict[str, tuple[Change, tuple[int, str]]] = {
    "hash": (flipped_in(lambda config: config, "hash"), UNVERIFIED),
    "user's signature": (flipped_in(lambda config: config, "signature"), USER),
    "builder's signature": (flipped_in(lambda config: config["build"], "signature"), BUILDER),
    "session id": (flipped_in(lambda config: config, "session_id"), UNVERIFIED),
    "user id": (lambda config: config["creator"].update(id="someone"), UNVERIFIED),
    "result hash": (flipped_in(lambda config: config, "result_hash"), CHAIN),
    "result signature": (flipped_in(lambda config: config, "result_signature"), UNVERIFIED),
    "first signature": (flipped_in(lambda config: slot(config, 0), "signature"), CHAIN),
    "first digest": (flipped_in(lambda config: slot(config, 0), "digest"), CHAIN),
    "last signature": (flipped_in(lambda config: slot(config, 1), "signature"), CHAIN),
    "last digest": (flipped_in(lambda config: slot(config, 1), "digest"), CHAIN),
    "own envelope": (flipped_in(lambda config: config["route"][2], "encrypted_key"), UNVERIFIED),
    "user's key": (other_key(lambda config: config["creator"]), USER),
    "builder's key": (other_key(lambda config: config["build"]), BUILDER),
    "key of the first stop": (other_key(lambda config: config["route"][0]), CHAIN),
    "key of the last stop": (other_key(lambda config: config["route"][1]), CHAIN),
    "own key": (other_key(lambda config: config["route"][2]), (78, "own-key-mismatch")),
    "order of the file list": (lambda config: config["file_list"].reverse(), UNVERIFIED),
    "a file left out of the list": (lambda config: config["file_list"].remove("a.txt"), DIFFER),
    "a file added to the list": (lambda config: config["file_list"].append("x"), DIFFER),
}

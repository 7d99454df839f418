"""One change in each signed or encrypted field of a flat configuration, and how it is refused."""

from collections.abc import Callable

from tests.reference import Config
from tests.vectors.recorded import flip_digit
from tests.visit.changed_keys import other_modulus

DEFINITION = (77, "definition-changed")
USER = (77, "user-signature-wrong")
CHAIN = (76, "chain-broken")
RESULTS = (77, "results-unverified")


def flipped(name: str) -> Callable[[Config], object]:
    return lambda config: config.update({name: flip_digit(config[name])})


def flipped_link(number: int, part: int) -> Callable[[Config], object]:
    def change(config: Config) -> None:
        signature = config["digital_signature"][number]["sig"]
        signature[part] = flip_digit(signature[part])

    return change


def other_key_of(station: str) -> Callable[[Config], object]:
    def change(config: Config) -> None:
        keys = config["rsa_public_keys"]
        keys[station] = other_modulus(keys[station])

    return change


CHANGED_FIELDS: dict[str, tuple[Callable[[Config], object], tuple[int, str]]] = {
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
            station_3=flip_digit(config["encrypted_key"]["station_3"])
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

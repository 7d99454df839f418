"""No single digit or byte that is authenticated can change unnoticed.

Here the stages run in this process, for there are thousands of changes to try; the tests beside
this one show for examples of each kind that a visit refuses them and leaves the disk alone.
"""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from entrypoint.crypto.envelopes import open_envelope
from entrypoint.crypto.key_files import load_private_key
from entrypoint.crypto.keys import PrivateKey
from entrypoint.errors import PhtError
from entrypoint.protocol.decrypt import decrypt
from entrypoint.protocol.verify import verify
from entrypoint.train_config import encode, read
from entrypoint.trust.anchors import NO_ANCHORS
from tests import reference, reference_route
from tests.reference import Config

STATION = "station_3"
KEY: PrivateKey = load_private_key(reference.vector_key(STATION, private=True), None, "the vectors")

FLAT: dict[str, tuple[str | int, ...]] = {
    "session id": ("session_id",),
    "immutable hash": ("e_h",),
    "user's signature": ("e_h_sig",),
    "result hash": ("e_d",),
    "result signature": ("e_d_sig",),
    "first signature": ("digital_signature", 0, "sig", 0),
    "first digest": ("digital_signature", 0, "sig", 1),
    "last signature": ("digital_signature", 1, "sig", 0),
    "last digest": ("digital_signature", 1, "sig", 1),
    "own envelope": ("encrypted_key", STATION),
}
"""The places of authenticated hex in a configuration."""

ROUTE: dict[str, tuple[str | int, ...]] = {
    "session id": ("session_id",),
    "immutable hash": ("hash",),
    "user's signature": ("signature",),
    "builder's signature": ("build", "signature"),
    "result hash": ("result_hash",),
    "result signature": ("result_signature",),
    "first signature": ("route", 0, "signature", "signature"),
    "first digest": ("route", 0, "signature", "digest"),
    "last signature": ("route", 1, "signature", "signature"),
    "last digest": ("route", 1, "signature", "digest"),
    "own envelope": ("route", 2, "encrypted_key"),
}
"""Like it, in the route generation."""

WIRES = {"flat": reference, "route": reference_route}
DIGITS = [
    *(pytest.param("flat", way, id=f"flat {name}") for name, way in FLAT.items()),
    *(pytest.param("route", way, id=f"route {name}") for name, way in ROUTE.items()),
]


@pytest.fixture
def opt(wire: str, tmp_path: Path) -> Path:
    laid_out: Path = WIRES[wire].lay_out(2, tmp_path)
    return laid_out


def is_refused(data: bytes, opt: Path) -> bool:
    """Return whether a configuration, with the files of `opt`, fails a check."""
    try:
        config = read(data)
        envelope = config.envelope(STATION)
        key = open_envelope(KEY, envelope, config.cipher) if envelope else None
        train = verify(config, opt / "pht_train", key, anchors=NO_ANCHORS)
        decrypt(train, opt / "pht_results", target=None)
    except PhtError:
        return True
    return False


def changed_digits(config: Config, way: tuple[str | int, ...]) -> Iterator[Config]:
    """Yield the configuration with one digit changed by one bit, for every digit."""
    changed = deepcopy(config)
    place: Any = changed
    for step in way[:-1]:
        place = place[step]
    digits = place[way[-1]]
    for position, digit in enumerate(digits):
        other = f"{int(digit, 16) ^ 1:x}"
        place[way[-1]] = digits[:position] + other + digits[position + 1 :]
        yield changed


@pytest.mark.parametrize("wire", WIRES)
def test_unchanged_it_is_accepted(opt: Path) -> None:
    assert not is_refused(encode(reference.load_config(opt)), opt)


@pytest.mark.parametrize(("wire", "way"), DIGITS)
def test_every_digit_of(way: tuple[str | int, ...], opt: Path) -> None:
    config = reference.load_config(opt)

    changes = [encode(changed) for changed in changed_digits(config, way)]

    assert len(changes) >= 128
    assert [change for change in changes if not is_refused(change, opt)] == []


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("name", "step"),
    [("counter", 1), ("empty.bin", 1), ("deep/nested/dir/random.bin", 97), ("new/seq.txt", 89)],
)
def test_every_byte_of_a_result(name: str, step: int, opt: Path) -> None:
    """Every byte of small files, and every `step`-th of larger ones."""
    data = encode(reference.load_config(opt))
    path = opt / "pht_results" / name
    token = bytearray(path.read_bytes())
    unnoticed = []
    for offset in range(0, len(token), step):
        token[offset] ^= 1
        path.write_bytes(token)
        if not is_refused(data, opt):
            unnoticed.append(offset)
        token[offset] ^= 1

    assert unnoticed == []


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("name", ["entrypoint.sh", "query.json", "a/b.txt"])
def test_every_byte_of_an_immutable_file(name: str, opt: Path) -> None:
    data = encode(reference.load_config(opt))
    path = opt / "pht_train" / name
    content = bytearray(path.read_bytes())
    unnoticed = []
    for offset in range(len(content)):
        content[offset] ^= 1
        path.write_bytes(content)
        if not is_refused(data, opt):
            unnoticed.append(offset)
        content[offset] ^= 1

    assert content
    assert unnoticed == []

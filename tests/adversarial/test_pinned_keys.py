"""Trains that somebody else has signed: all signatures fit, and only pinned keys tell.

A train with exchanged keys is made from the beginning with them, which gives what signing an honest
one anew would give.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests import reference, reference_route
from tests.pinned import line, pin
from tests.station import (
    Done,
    assert_explained,
    assert_refused,
    assert_refused_quickly,
    check,
    settle,
    snapshot,
    visit,
)

EARLIER, OWN, LATER = reference.STATIONS
FILES = {"train.py": b""}

FLAT = {"user user-1": "user", f"station {EARLIER}": EARLIER, f"station {LATER}": LATER}
ROUTE = {**FLAT, "builder": "builder"}
"""The holders of keys, as the file of pinned keys names them, and the names of their keys."""

HOLDERS = {"flat": FLAT, "route": ROUTE}

ATTACKS = {
    "another user": {"user user-1"},
    "an earlier stop": {f"station {EARLIER}"},
    "a later stop": {f"station {LATER}"},
    "another builder": {"builder"},
    "everything signed anew": {*ROUTE},
}
"""The holders whose keys the attacker has exchanged."""

CASES = [
    pytest.param(wire, forged & HOLDERS[wire].keys(), id=f"{wire}, {name}")
    for wire in HOLDERS
    for name, forged in ATTACKS.items()
    if forged & HOLDERS[wire].keys()
]


@cache
def attackers_key() -> bytes:
    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public(private_key: bytes) -> bytes:
    key = serialization.load_pem_private_key(private_key, None).public_key()
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def arrive(root: Path, wire: str, forged: set[str]) -> None:
    """Lay out a train after its first stop, for which the attacker has the keys of some holders."""
    keys = {
        name: attackers_key()
        if holder in forged
        else reference_route.vector_key(name, private=True)
        for holder, name in ROUTE.items()
    }
    stations = {EARLIER: public(keys[EARLIER]), OWN: reference.vector_key(OWN)}
    stations[LATER] = public(keys[LATER])
    if wire == "flat":
        opt = reference.build_initial(root, FILES, keys["user"], stations)
        reference.published_post_run(opt, EARLIER, keys[EARLIER])
    else:
        signers = keys["user"], keys["builder"]
        opt = reference_route.build_initial(root, FILES, *signers, stations)
        reference_route.published_pre_run(opt, EARLIER, keys[EARLIER])
        reference_route.published_post_run(opt, EARLIER, keys[EARLIER])


def pinned(holders: Mapping[str, str]) -> list[str]:
    """Return the lines of the honest keys."""
    return [line(holder, reference_route.vector_key(name)) for holder, name in holders.items()]


def without(wire: str, forged: set[str]) -> dict[str, str]:
    """Return the other holders."""
    return {holder: name for holder, name in HOLDERS[wire].items() if holder not in forged}


def problems(done: Done) -> set[str]:
    return {line.removeprefix("pht:   - ") for line in done.lines if line.startswith("pht:   - ")}


def lines_of_attacker(forged: set[str]) -> set[str]:
    return {line(holder, public(attackers_key())) for holder in forged}


@pytest.mark.parametrize(("wire", "forged"), CASES)
def test_with_the_line_an_exchanged_key_is_refused(
    wire: str, forged: set[str], tmp_path: Path
) -> None:
    arrive(tmp_path, wire, forged)
    settle(tmp_path, OWN)
    pin(tmp_path, *pinned({holder: HOLDERS[wire][holder] for holder in forged}))

    assert_refused_quickly(tmp_path, 77, "key-not-as-pinned")
    assert problems(check(tmp_path)) == lines_of_attacker(forged)


@pytest.mark.parametrize(("wire", "forged"), CASES)
def test_without_the_line_it_is_named(wire: str, forged: set[str], tmp_path: Path) -> None:
    arrive(tmp_path, wire, forged)
    settle(tmp_path, OWN)
    others = without(wire, forged)
    pin(tmp_path, *pinned(others))

    done = check(tmp_path)

    assert (done.status, done.facts["trust"]) == (0, "partial" if others else "none")
    [named] = [line for line in done.lines if " not pinned: " in line]
    assert set(named.split(": ", 2)[2].split(", ")) == forged


@pytest.mark.parametrize(("wire", "forged"), CASES)
def test_without_the_line_it_is_refused_where_all_have_to_be_pinned(
    wire: str, forged: set[str], tmp_path: Path
) -> None:
    arrive(tmp_path, wire, forged)
    settle(tmp_path, OWN, PHT_TRUST="require")
    pin(tmp_path, *pinned(without(wire, forged)))

    assert_refused_quickly(tmp_path, 77, "key-not-pinned")
    assert problems(check(tmp_path)) == lines_of_attacker(forged)


@pytest.mark.parametrize("wire", HOLDERS)
def test_a_train_of_pinned_keys_visits(wire: str, tmp_path: Path) -> None:
    arrive(tmp_path, wire, set())
    settle(tmp_path, OWN, PHT_TRUST="require")
    pin(tmp_path, *pinned(HOLDERS[wire]))

    done = visit(tmp_path)

    assert (done.status, done.facts["trust"]) == (0, "full"), done.stderr
    assert " not pinned: " not in done.stderr


@pytest.mark.parametrize("wire", HOLDERS)
def test_whole_visits_of_a_train_that_was_signed_anew(wire: str, tmp_path: Path) -> None:
    arrive(tmp_path, wire, {*ROUTE})
    settle(tmp_path, OWN)
    pin(tmp_path, *pinned(HOLDERS[wire]))
    assert_refused(tmp_path, 77, "key-not-as-pinned")

    pin(tmp_path)
    done = visit(tmp_path)

    assert (done.status, done.facts["trust"]) == (0, "none"), done.stderr
    assert all(holder in done.stderr for holder in HOLDERS[wire])


def test_a_line_for_the_station_itself_has_to_fit_too(tmp_path: Path) -> None:
    arrive(tmp_path, "route", set())
    settle(tmp_path, OWN)
    pin(tmp_path, *pinned(ROUTE), line(f"station {OWN}", public(attackers_key())))

    assert_refused_quickly(tmp_path, 77, "key-not-as-pinned")
    assert problems(check(tmp_path)) == {line(f"station {OWN}", reference.vector_key(OWN))}


def test_a_malformed_file_of_pinned_keys_pins_nothing_silently(tmp_path: Path) -> None:
    arrive(tmp_path, "flat", set())
    settle(tmp_path, OWN)
    pin(tmp_path, *pinned(FLAT), "user user-1 SHA256:0123…")
    before = snapshot(tmp_path)

    done = visit(tmp_path)

    assert_explained(done, 78, "trust-malformed")
    assert [problem.partition(" has ")[0] for problem in problems(done)] == ["line 4"]
    assert snapshot(tmp_path) == before

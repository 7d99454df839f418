"""A known limit of both wires: signatures of one train can be grafted into another.

A station signs the result hash and the digest of its link with one key, in one scheme, and the
author of a train has a say in what is hashed for either. The tests of known limits pass while the
attack works, though all stations keep ledgers. A ledger refuses a graft between two trains with one
session id.
"""

import shutil
from hashlib import sha512
from pathlib import Path
from types import ModuleType

import pytest

from tests import reference, reference_route
from tests.ledger import SESSION, WIRES, lay_out_at, share_ledger
from tests.reference import Config, load_config
from tests.station import (
    USER_KEY,
    assert_explained,
    check,
    edit,
    new_route_train,
    new_train,
    opened,
    settle,
    visit,
)

TELLS = """
import os, pathlib
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
(results / "told").write_bytes(b" + ".join(path.read_bytes() for path in results.iterdir()))
"""
"""The code of the third train, which believes the results that it finds."""


def leaves(content: bytes) -> str:
    """Return harmless code whose result is a file with this content."""
    path = "pathlib.Path(os.environ['PHT_RESULTS_DIR'], 'weights')"
    return f"import os, pathlib\n{path}.write_bytes(bytes.fromhex({content.hex()!r}))"


def settle_with_ledger(opt: Path, station: str) -> None:
    """Settle a station where `tmp_path/…/root/opt` lies; it has one ledger for all its trains."""
    settle(opt.parent, station)
    share_ledger(opt.parent, opt.parents[2] / f"ledger of {station}")


def config_after_visit(opt: Path, station: str) -> Config:
    """Return the configuration of a train after an honest visit to a station."""
    settle_with_ledger(opt, station)
    done = visit(opt.parent)
    assert (done.status, done.facts["replay"]) == (0, "checked"), done.stderr
    return load_config(opt)


def assert_accepted(opt: Path, believed: bytes, station: str) -> None:
    """Check that the next station boards a train, which takes some contents for its results."""
    settle_with_ledger(opt, station)
    assert check(opt.parent).status == 0
    done = visit(opt.parent)
    assert (done.status, done.facts["result"]) == (0, "visited"), done.stderr
    assert opened(opt)["told"] == believed


def test_known_limit_of_flat_trains_two_honest_visits_sign_a_train_that_the_station_never_saw(
    tmp_path: Path,
) -> None:
    accomplice, honest, misled = reference.STATIONS
    accomplices_key = reference.vector_key(accomplice, private=True)

    # The link of the first train signs SHA-512(the link before): here of results ‖ session id.
    first = new_train(tmp_path / "first" / "root", "pass")
    reference.published_post_run(first, accomplice, accomplices_key)
    chain = config_after_visit(first, honest)["digital_signature"]
    (before, _), (as_result_signature, _) = (link["sig"] for link in chain)
    signed = bytes.fromhex(before)
    results, session = signed[:-64], signed[-64:]

    # The results of the second one are, with its session id, the link before in the third.
    third = new_train(tmp_path / "third" / "root", TELLS, session_id=session.hex())
    link_before = reference.next_link(load_config(third), accomplice, accomplices_key)
    signed = bytes.fromhex(link_before["sig"][0])
    second = new_train(
        tmp_path / "second" / "root", leaves(signed[:-64]), session_id=signed[-64:].hex()
    )
    sealed = config_after_visit(second, honest)
    link = {"station": honest, "sig": [sealed["e_d_sig"], sealed["e_d"]]}

    (third / "pht_results" / "model").write_bytes(results)
    reference.published_post_run(third, honest, accomplices_key)
    edit(
        third,
        lambda config: config.update(
            digital_signature=[link_before, link], e_d_sig=as_result_signature
        ),
    )
    assert_accepted(third, results, misled)


def test_known_limit_of_routes_two_honest_visits_sign_a_train_that_the_station_never_saw(
    tmp_path: Path,
) -> None:
    honest, misled, _ = reference.STATIONS
    results = b"mean age,deaths\n40.1,0\n".ljust(64)

    # The first link of a route signs SHA-512(session id ‖ result hash): here results ‖ session id.
    first = new_route_train(tmp_path / "first" / "root", "pass", session_id=results.hex())
    sealed = config_after_visit(first, honest)
    session = bytes.fromhex(sealed["result_hash"])
    as_result_signature = sealed["route"][0]["signature"]["signature"]

    # The results of the second one are, with its session id, what the link of the third signs.
    result_hash = sha512(results + session).digest()
    second = new_route_train(
        tmp_path / "second" / "root", leaves(session), session_id=result_hash.hex()
    )
    sealed = config_after_visit(second, honest)
    link = {"digest": sealed["result_hash"], "signature": sealed["result_signature"]}

    third = new_route_train(tmp_path / "third" / "root", TELLS, session_id=session.hex())
    (third / "pht_train" / "train.py").write_text(TELLS)
    (third / "pht_results" / "model").write_bytes(results)
    reference_route.published_post_run(third, honest, USER_KEY)

    def graft(config: Config) -> None:
        config["route"][0]["signature"] = link
        config["result_signature"] = as_result_signature

    edit(third, graft)
    assert_accepted(third, results, misled)


def graft_from(genuine: Path, opt: Path) -> None:
    """Put all that a train's first stop has signed into another train."""
    source = load_config(genuine)

    def graft(config: Config) -> None:
        names = {"digital_signature", "e_d", "e_d_sig", "result_hash", "result_signature"}
        config.update({name: source[name] for name in names & source.keys()})
        if "route" in config:
            config["route"][0]["signature"] = source["route"][0]["signature"]

    edit(opt, graft)


@pytest.mark.parametrize("wire", WIRES.values(), ids=[*WIRES])
def test_a_graft_between_two_definitions_with_one_session_id_is_refused_by_a_ledger(
    wire: ModuleType, tmp_path: Path
) -> None:
    honest, misled, _ = reference.STATIONS
    genuine = lay_out_at(tmp_path / "genuine" / "root", wire, honest, result=b"told")
    grafted = lay_out_at(tmp_path / "grafted" / "root", wire, script=TELLS)
    (grafted / "pht_train" / "train.py").write_text(TELLS)
    (grafted / "pht_results" / "result").write_bytes(b"told")
    wire.published_post_run(grafted, honest, USER_KEY)
    graft_from(genuine, grafted)
    other = tmp_path / "other" / "root"
    shutil.copytree(grafted, other / "opt")

    assert config_after_visit(genuine, misled)["session_id"] == SESSION
    settle_with_ledger(grafted, misled)
    assert_explained(visit(grafted.parent), 76, "session-reused")
    settle(other, misled)
    assert visit(other).status == 0  # a station that has not seen the first one, or has no ledger

"""Trains of the route generation that the host has opened and will seal."""

from pathlib import Path

from tests import reference_route
from tests.reference import STATIONS
from tests.station import (
    assert_explained,
    new_route_train,
    snapshot,
    visit,
)
from tests.visit.route_train import IMPORTS, key_of, second_stop


def open_as_host(root: Path, script: str) -> Path:
    opt = second_stop(root, script)
    reference_route.published_pre_run(opt, STATIONS[1], key_of(STATIONS[1]))
    (root / "run" / "pht").rename(root / "away")
    return opt


def test_code_in_plaintext_proves_that_a_host_has_opened_the_train(tmp_path: Path) -> None:
    opt = open_as_host(tmp_path, "(results / 'new').write_bytes((results / 'old').read_bytes())")
    before = snapshot(opt)

    done = visit(tmp_path)

    assert (done.status, done.facts["result"], done.facts["state"]) == (0, "hosted", "unsealed")
    after = snapshot(opt)
    assert after.pop("pht_results/new").content == b"old"
    assert after == before


def test_so_it_does_at_the_first_stop(tmp_path: Path) -> None:
    opt = new_route_train(tmp_path, IMPORTS + "(results / 'new').touch()")
    reference_route.published_pre_run(opt, STATIONS[0], key_of(STATIONS[0]))

    assert visit(tmp_path).facts["result"] == "hosted"


def test_a_train_that_no_host_has_opened_is_not_run(tmp_path: Path) -> None:
    opt = second_stop(tmp_path, "")
    (tmp_path / "run" / "pht").rename(tmp_path / "away")
    before = snapshot(opt)

    done = visit(tmp_path, env={"PHT_HOST_PROTOCOL": "1"})

    assert_explained(done, 77, "definition-changed")
    assert "a host has to decrypt them" in done.stderr
    assert snapshot(opt) == before


def test_a_train_that_is_half_open_is_not_run(tmp_path: Path) -> None:
    opt = open_as_host(tmp_path, "")
    (opt / "pht_results" / "old").write_bytes(b"still sealed, perhaps")
    before = snapshot(opt)

    for env in ({}, {"PHT_HOST_PROTOCOL": "1"}):
        assert_explained(visit(tmp_path, env=env), 77, "results-not-opened")
    assert snapshot(opt) == before

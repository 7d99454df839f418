"""Trains of the published package board here, and ours board there, stop by stop."""

import shutil
import stat
from itertools import permutations, product
from pathlib import Path

import pytest

from tests import reference
from tests.reference import STAGES, STATIONS
from tests.station import pht, settle, snapshot

PLAIN_KINDS = {stat.S_IFDIR, stat.S_IFLNK}
MAKERS = [*product(("ours", "published"), repeat=3)]
"""The software of the first, the second and the third stop."""


def play(stage: int, opt: Path) -> None:
    """Put the recorded plaintext of a stage in place of the results, as the train would."""
    shutil.rmtree(opt / "pht_results")
    reference.lay_out_plain(stage, opt)


def seal_ours(stage: int, root: Path, station: str) -> None:
    settle(root, station)
    assert pht("pre-run", root=root).status == 0
    play(stage, root / "opt")
    done = pht("post-run", root=root)
    assert (done.status, done.facts["result"], done.facts["state"]) == (0, "visited", "sealed")


def seal_as_published(stage: int, root: Path, station: str) -> None:
    play(stage, root / "opt")
    key = reference.vector_key(station, private=True)
    reference.published_post_run(root / "opt", station, key)


SEAL = {"ours": seal_ours, "published": seal_as_published}


def assert_sealed(stage: int, opt: Path, visited: list[str], folder: Path) -> None:
    """Check that everyone entitled reads the recorded plaintext, and that its shape was kept."""
    plain = reference.lay_out_plain(stage, folder)
    config = reference.load_config(opt)
    reference.verify_definition(config, opt / "pht_train")
    assert reference.verify_chain(config) == visited
    for reader in (None, *STATIONS):
        key = reference.vector_key(reader or "user", private=True)
        decrypted = reference.decrypt_results(opt, key, reader)
        assert decrypted == reference.result_files(plain)
    sealed, expected = snapshot(opt / "pht_results"), snapshot(plain)
    assert sealed.keys() == expected.keys()
    for path, node in sealed.items():
        content = expected[path].content if node.kind in PLAIN_KINDS else node.content
        assert node == expected[path]._replace(content=content)


@pytest.mark.parametrize("station", STATIONS)
@pytest.mark.parametrize("stage", range(len(STAGES)), ids=STAGES)
def test_check_accepts_and_writes_nothing(stage: int, station: str, tmp_path: Path) -> None:
    reference.lay_out(stage, tmp_path)
    settle(tmp_path, station)
    before = snapshot(tmp_path, times=True)

    done = pht("check", root=tmp_path)

    visited = station in STATIONS[:stage]
    assert done.status == 0
    assert done.facts["result"] == "verified"
    assert done.facts["state"] == "unchanged"
    assert done.code == ("already-visited" if visited else "ready")
    assert done.facts["files"] == ("12" if stage == 1 else "13" if stage else "0")
    assert snapshot(tmp_path, times=True) == before


@pytest.mark.parametrize(
    ("stage", "station"), [(1, "station_2"), (1, "station_3"), (2, "station_3")]
)
def test_pre_run_restores_the_plaintext_and_undo_the_ciphertext(
    stage: int, station: str, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    opt = reference.lay_out(stage, root)
    settle(root, station)
    before = snapshot(root)

    opened = pht("pre-run", root=root)
    plain = snapshot(opt / "pht_results")
    undone = pht("undo", root=root)

    assert (opened.status, opened.facts["state"]) == (0, "waiting")
    assert plain == snapshot(reference.lay_out_plain(stage, tmp_path))
    assert (undone.status, undone.facts["state"]) == (0, "unchanged")
    assert snapshot(root) == before


def test_pre_run_and_undo_at_the_first_stop(tmp_path: Path) -> None:
    opt = reference.lay_out(0, tmp_path)
    settle(tmp_path, "station_1")
    before = snapshot(tmp_path)

    assert pht("pre-run", root=tmp_path).status == 0
    assert list((opt / "pht_results").iterdir()) == []
    assert snapshot(tmp_path) != before
    assert pht("undo", root=tmp_path).status == 0

    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("stage", [1, 2, 3], ids=STAGES[1:])
def test_what_we_seal_is_what_the_published_package_would_have(stage: int, tmp_path: Path) -> None:
    root = tmp_path / "root"
    opt = reference.lay_out(stage - 1, root)

    seal_ours(stage, root, STATIONS[stage - 1])

    assert_sealed(stage, opt, list(STATIONS[:stage]), tmp_path)
    published = reference.load_config(reference.VECTORS / STAGES[stage])
    config = reference.load_config(opt)
    assert list(config) == list(published)
    assert config["e_d"] == published["e_d"]


@pytest.mark.parametrize(
    ("makers", "route"), [*zip(MAKERS, [*permutations(STATIONS)] * 2, strict=False)]
)
def test_our_stops_and_published_ones_mix_on_one_route(
    makers: tuple[str, ...], route: tuple[str, ...], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    opt = reference.lay_out(0, root)

    for stage, (maker, station) in enumerate(zip(makers, route, strict=True), start=1):
        SEAL[maker](stage, root, station)

    assert_sealed(3, opt, list(route), tmp_path)
    settle(root, route[0])
    assert pht("check", root=root).code == "already-visited"

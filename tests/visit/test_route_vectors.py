"""Trains of the published package with a route board here, and ours board there, stop by stop."""

import shutil
from itertools import product
from pathlib import Path

import pytest

from tests import reference, reference_route
from tests.reference import STAGES, STATIONS
from tests.station import in_process, opened, pht, settle, snapshot
from tests.vectors.recorded import shape

PLAIN = reference_route.VECTORS / "train"


def play(stage: int, opt: Path) -> None:
    """Put the recorded plaintext of a stage in place of the results, as the train would."""
    shutil.rmtree(opt / "pht_results")
    reference_route.lay_out_plain(stage, opt)


def seal_ours(stage: int, root: Path, station: str) -> None:
    settle(root, station)
    assert in_process("pre-run", root).status == 0
    play(stage, root / "opt")
    done = in_process("post-run", root)
    assert (done.status, done.facts["result"], done.facts["state"]) == (0, "visited", "sealed")


def seal_as_published(stage: int, root: Path, station: str) -> None:
    key = reference.vector_key(station, private=True)
    reference_route.published_pre_run(root / "opt", station, key)
    play(stage, root / "opt")
    reference_route.published_post_run(root / "opt", station, key)


SEAL = {"ours": seal_ours, "published": seal_as_published}


def assert_sealed(stage: int, opt: Path, folder: Path) -> None:
    """Check that everyone entitled reads what was recorded, and that its shape was kept."""
    plain = reference_route.lay_out_plain(stage, folder)
    assert reference_route.verify_chain(reference.load_config(opt)) == list(STATIONS[:stage])
    for reader in (None, *STATIONS):
        key = reference.vector_key(reader or "user", private=True)
        results = reference_route.decrypt_results(opt, key, reader)
        assert results == reference.result_files(plain)
        assert reference_route.decrypt_definition(opt, key, reader) == recorded_definition()
    assert shape(opt / "pht_results") == shape(plain)


def recorded_definition() -> dict[str, bytes]:
    return {path: content for path, (content, _) in reference.result_files(PLAIN).items()}


@pytest.mark.parametrize("station", STATIONS)
@pytest.mark.parametrize("stage", range(len(STAGES)), ids=STAGES)
def test_check_accepts_whose_turn_it_is_or_was_and_writes_nothing(
    stage: int, station: str, tmp_path: Path
) -> None:
    reference_route.lay_out(stage, tmp_path)
    settle(tmp_path, station)
    before = snapshot(tmp_path, times=True)

    done = in_process("check", tmp_path)

    turn = STATIONS.index(station)
    if turn > stage:
        assert (done.status, done.code) == (76, "not-this-stops-turn")
    else:
        assert (done.status, done.facts["result"]) == (0, "verified")
        assert done.code == ("already-visited" if turn < stage else "ready")
        assert done.facts["files"] == ("12" if stage == 1 else "13" if stage else "0")
    assert done.facts["state"] == "unchanged"
    assert snapshot(tmp_path, times=True) == before


@pytest.mark.parametrize("stage", range(3), ids=STAGES[:3])
def test_pre_run_restores_the_plaintext_and_undo_the_ciphertext(stage: int, tmp_path: Path) -> None:
    root = tmp_path / "root"
    opt = reference_route.lay_out(stage, root)
    settle(root, STATIONS[stage])
    before = snapshot(root)

    done = in_process("pre-run", root)
    code, results = reference.result_files(opt / "pht_train"), snapshot(opt / "pht_results")
    undone = in_process("undo", root)

    assert (done.status, done.facts["state"]) == (0, "waiting")
    assert {path: file.content for path, file in code.items()} == recorded_definition()
    if stage:
        assert results == snapshot(reference_route.lay_out_plain(stage, tmp_path))
    assert (undone.status, undone.facts["state"]) == (0, "unchanged")
    assert snapshot(root) == before


@pytest.mark.parametrize("stage", [1, 2, 3], ids=STAGES[1:])
def test_what_we_seal_is_what_the_published_package_would_have(stage: int, tmp_path: Path) -> None:
    root = tmp_path / "root"
    opt = reference_route.lay_out(stage - 1, root)

    seal_ours(stage, root, STATIONS[stage - 1])

    assert_sealed(stage, opt, tmp_path)
    published = reference.load_config(reference_route.VECTORS / STAGES[stage])
    config = reference.load_config(opt)
    assert list(config) == list(published)
    assert [list(stop) for stop in config["route"]] == [list(stop) for stop in published["route"]]
    assert config["result_hash"] == published["result_hash"]
    for slot in (entry["signature"] for entry in config["route"][:stage]):
        assert list(slot) == ["digest", "signature"]
    assert sorted(path.name for path in opt.iterdir()) == [
        "pht_results",
        "pht_train",
        "train_config.json",
        "user_sym_key.key",
    ]


@pytest.mark.parametrize("makers", [*product(SEAL, repeat=3)], ids="-".join)
def test_our_stops_and_published_ones_mix_on_one_route(
    makers: tuple[str, ...], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    opt = reference_route.lay_out(0, root)

    for stage, maker in enumerate(makers, start=1):
        SEAL[maker](stage, root, STATIONS[stage - 1])

    assert_sealed(3, opt, tmp_path)
    settle(root, STATIONS[0])
    assert in_process("check", root).code == "already-visited"
    assert opened(opt)["a.txt"].endswith(b"third\n")


@pytest.mark.parametrize("stage", range(len(STAGES)), ids=STAGES)
def test_the_query_is_shown_to_whoever_can_open_the_train(stage: int, tmp_path: Path) -> None:
    reference_route.lay_out(stage, tmp_path)
    settle(tmp_path, STATIONS[min(stage, 2)])
    before = snapshot(tmp_path, times=True)

    done = pht("query", root=tmp_path)

    assert (done.status, done.stdout) == (0, recorded_definition()["query.json"])
    assert snapshot(tmp_path, times=True) == before


@pytest.mark.parametrize("stage", range(len(STAGES)), ids=STAGES)
def test_inspect_shows_the_order_of_the_route(stage: int, tmp_path: Path) -> None:
    reference_route.lay_out(stage, tmp_path)

    text = in_process("inspect", tmp_path).stdout.decode()

    rows = [line.split()[:2] for line in text.splitlines() if line.startswith("station_")]
    stops = [str(number) if number <= stage else "not" for number in (1, 2, 3)]
    assert rows == [[*row] for row in zip(STATIONS, stops, strict=True)]
    assert "generation   route\nuser         test-user-id" in text
    assert "signatures   valid\n" in text
    assert "files        8, encrypted and therefore not checked\n" in text

"""Visits of trains whose definition travels encrypted, from the first stop to the last."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests import reference, reference_route
from tests.other_user import unprivileged
from tests.reference import STATIONS
from tests.station import (
    RUNS_TRAIN,
    assert_explained,
    edit,
    in_process,
    new_route_train,
    opened,
    pht,
    settle,
    snapshot,
    unpack,
    visit,
)
from tests.visit.conftest import Mount
from tests.visit.route_train import (
    CODE,
    FILES,
    IMPORTS,
    WRITES_CACHES,
    definition,
    holding,
    key_of,
    second_stop,
)

# --- a visit that succeeds -----------------------------------------------------------------------


def test_a_route_of_three_stops(tmp_path: Path) -> None:
    script = """
import helper
seen = results / "seen"
seen.write_text((seen.read_text() if seen.exists() else "") + os.environ["STATION_ID"] + " ")
assert json.loads((train / "query.json").read_text()) == {"a": 1}
"""
    opt = new_route_train(tmp_path, IMPORTS + script, FILES)
    for number, station in enumerate(STATIONS, start=1):
        settle(tmp_path, station)
        done = visit(tmp_path)
        assert done.status == 0, done.stderr
        changed = "pht_results,pht_train,train_config.json,user_sym_key.key"
        assert (done.facts["state"], done.facts["changed"]) == ("sealed", changed)
        for reader in (None, *STATIONS):
            assert opened(opt, reader)["seen"] == " ".join([*STATIONS[:number], ""]).encode()
            assert definition(opt, reader).items() >= FILES.items()
        assert not holding(opt, CODE)
    assert reference_route.verify_chain(reference.load_config(opt)) == list(STATIONS)


def test_modes_are_kept_and_every_file_has_an_iv_of_its_own(tmp_path: Path) -> None:
    opt = second_stop(tmp_path, "(results / 'helper.py').write_bytes(b'x')")
    before = snapshot(opt / "pht_train")

    assert visit(tmp_path).status == 0

    after = snapshot(opt / "pht_train")
    assert {path: node.mode for path, node in after.items()} == {
        path: node.mode for path, node in before.items()
    }
    sealed = [path for path in opt.glob("pht_*/**/*") if path.is_file()]
    assert len({path.read_bytes()[:16] for path in sealed}) == len(sealed) == 6


def test_the_train_finds_the_field_that_it_may_read_and_no_finished_config(tmp_path: Path) -> None:
    look = "config = json.loads((opt / 'train_config.json').read_text())"
    opt = new_route_train(
        tmp_path, f"{IMPORTS}\n{look}; print(config['creator'], 'hash' in config)"
    )
    settle(tmp_path, "station_1")
    edit(opt, lambda config: config["creator"].update(paillier_public_key=12345))

    assert visit(tmp_path).stdout == b"{'paillier_public_key': 12345} False\n"


def test_the_sealed_train_opens_for_its_user(tmp_path: Path) -> None:
    second_stop(tmp_path, "(results / 'new').write_bytes(b'new')")
    tar = tmp_path / "train.tar"
    assert visit(tmp_path, env={"PHT_EXPORT": str(tar)}).status == 0

    keys = reference_route.VECTORS / "keys"
    done = pht(
        "decrypt-results", tar, "--key", keys / "user.sk.pem", "--output", tmp_path / "results"
    )

    assert done.status == 0
    assert "3 immutable files, as signed by the user" in done.stderr
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"old", "new"}
    assert definition(unpack(tar, tmp_path / "unpacked")).items() >= FILES.items()


def test_forged_code_is_found_when_results_are_opened(tmp_path: Path) -> None:
    opt = reference_route.lay_out(2, tmp_path)
    (opt / "pht_train" / "a.txt").write_bytes(bytes(32))
    key = reference_route.VECTORS / "keys" / "user.sk.pem"

    done = pht("decrypt-results", opt, "--key", key, "--output", tmp_path / "results")

    assert (done.status, done.code) == (77, "results-unverified")
    assert not (tmp_path / "results").exists()


def test_before_the_first_stop_there_are_no_results_although_there_is_a_key(tmp_path: Path) -> None:
    opt = reference_route.lay_out(0, tmp_path)
    key = reference_route.VECTORS / "keys" / "station_1.sk.pem"
    words: list[str | Path] = ["--station", "station_1", "--output", tmp_path / "results"]

    done = pht("decrypt-results", opt, "--key", key, *words)

    assert_explained(done, 76, "no-results-yet")


# --- what lies beside the signed files -----------------------------------------------------------


@pytest.mark.parametrize("content", ["sealed", "plaintext"])
def test_caches_of_honest_stations_are_removed_before_the_run(content: str, tmp_path: Path) -> None:
    opt = new_route_train(tmp_path, IMPORTS + "import helper", FILES)
    reference_route.published_pre_run(opt, STATIONS[0], key_of(STATIONS[0]))
    cache = opt / "pht_train" / "__pycache__" / "helper.cpython-311.pyc"
    cache.parent.mkdir()
    cache.write_bytes(b"compiled")
    reference_route.published_post_run(opt, STATIONS[0], key_of(STATIONS[0]))
    if content == "plaintext":
        cache.write_bytes(b"compiled")
    settle(tmp_path, STATIONS[1])
    before = snapshot(tmp_path)

    assert in_process("check", tmp_path).status == 0
    assert in_process("pre-run", tmp_path).status == 0
    assert not cache.exists()
    assert in_process("undo", tmp_path).status == 0
    assert snapshot(tmp_path) == before
    done = visit(tmp_path)

    assert done.status == 0
    assert not cache.parent.exists()
    cached = "__pycache__/helper.cpython-311.pyc"
    assert f"pht: removed compiled Python from pht_train: {cached}" in done.lines


@pytest.mark.parametrize("status", [0, 3])
def test_what_the_train_leaves_beside_its_files_does_not_travel(
    status: int, tmp_path: Path
) -> None:
    leave = "import helper; (train / 'notes').write_text('x'); (train / 'd').mkdir()"
    opt = second_stop(tmp_path, f"{leave}; (train / 'd' / 'x').touch(); sys.exit({status})")
    before = snapshot(opt / "pht_train")

    assert visit(tmp_path, WRITES_CACHES).status == status

    after = snapshot(opt / "pht_train")
    assert after.keys() == before.keys()
    assert (after == before) is (status != 0)


# --- by hand -------------------------------------------------------------------------------------


def test_the_halves_seal_what_was_done_by_hand(tmp_path: Path) -> None:
    opt = second_stop(tmp_path, "(results / 'new').write_text('by hand'); import helper")
    assert in_process("pre-run", tmp_path).status == 0
    for folder in ("pht_results.pht", "pht_train.pht"):
        assert stat.S_IMODE((opt / folder).stat().st_mode) == 0o700
    environment = {
        "PATH": os.environ["PATH"],
        "PHT_TRAIN_DIR": str(opt / "pht_train"),
        "PHT_RESULTS_DIR": str(opt / "pht_results"),
    }
    subprocess.run([sys.executable, opt / "pht_train" / "train.py"], env=environment, check=True)

    for name in ("check", "query"):
        assert pht(name, root=tmp_path).code == "wrong-half"
    assert in_process("post-run", tmp_path).status == 0

    assert opened(opt) == {"old": b"old", "new": b"by hand"}
    assert definition(opt).items() >= FILES.items()
    assert not holding(opt, CODE)


def test_a_train_without_a_query(tmp_path: Path) -> None:
    new_route_train(tmp_path, "")
    settle(tmp_path, "station_1")

    assert_explained(pht("query", root=tmp_path), 69, "no-query")


def test_the_query_of_a_train_that_is_forged_is_not_shown(tmp_path: Path) -> None:
    opt = second_stop(tmp_path, "")
    (opt / "pht_train" / "helper.py").write_bytes(bytes(32))

    done = pht("query", root=tmp_path)

    assert_explained(done, 77, "results-unverified")
    assert done.stdout == b""


# --- mounts and memory ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pht_train", "pht_train/a", "pht_results"])
def test_a_folder_that_this_user_may_not_change_is_refused_before_anything_is_opened(
    name: str,
) -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        root = Path(place) / "root"
        folder = second_stop(root, "") / name
        assert in_process("check", root).status == 0  # and everything is imported
        with unprivileged(Path(place)):
            folder.chmod(0o555)
            before = snapshot(root / "opt")
            done = in_process("pre-run", root)
            after = snapshot(root / "opt")
            folder.chmod(0o755)
        assert_explained(done, 78, "place-unsuitable")
        assert after == before


def test_code_on_a_volume_is_opened_and_sealed_and_comes_back(tmp_path: Path, mount: Mount) -> None:
    opt = second_stop(tmp_path / "root", "import helper; sys.exit(len(sys.argv) - 1)")
    subprocess.run(["cp", "--archive", opt / "pht_train", tmp_path / "aside"], check=True)
    mount(opt / "pht_train", "-t", "tmpfs", "-o", "size=4m", "tmpfs")
    subprocess.run(["cp", "--archive", f"{tmp_path / 'aside'}/.", opt / "pht_train"], check=True)
    before = snapshot(tmp_path / "root")

    failed = visit(tmp_path / "root", [*RUNS_TRAIN, "fail"])
    assert (failed.status, failed.facts["state"]) == (1, "unchanged")
    assert snapshot(tmp_path / "root") == before
    assert visit(tmp_path / "root").status == 0

    assert definition(opt).items() >= FILES.items()
    assert snapshot(opt / "pht_train").keys() == snapshot(tmp_path / "aside").keys()

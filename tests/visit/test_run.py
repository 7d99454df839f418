"""The whole visit: what is sealed, who can decrypt it, and which commands may run."""

import json
import os
import stat
from pathlib import Path

import pytest

from tests import reference
from tests.reference import STATIONS
from tests.station import (
    assert_explained,
    edit,
    new_train,
    opened,
    pht,
    settle,
    snapshot,
    visit,
)
from tests.visit.flat_train import IMPORTS, first_stop

COUNTS = (
    IMPORTS
    + """
counter = results / "counter"
before = int(counter.read_text()) if counter.exists() else 0
counter.write_text(str(before + 1))
(results / f"visit-{before + 1}").write_bytes(os.urandom(100_000))
"""
)


# --- what is sealed ------------------------------------------------------------------------------


def test_a_route_of_three_stops(tmp_path: Path) -> None:
    opt = new_train(tmp_path, COUNTS)
    results = {}
    for number, station in enumerate(STATIONS, start=1):
        settle(tmp_path, station)

        done = visit(tmp_path)

        assert done.status == 0
        results = opened(opt)
        assert results["counter"] == b"%d" % number
        assert len(results) == number + 1
        for reader in STATIONS:
            assert opened(opt, reader) == results
        assert done.facts["files"] == str(number + 1)
        assert done.facts["bytes"] == str(number * 100_000 + 1)
    assert reference.verify_chain(reference.load_config(opt)) == list(STATIONS)
    assert len({results[f"visit-{number}"] for number in (1, 2, 3)}) == 3


def test_what_is_said_about_a_visit(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "(results / 'a').write_bytes(b'12345')")

    done = visit(tmp_path)

    facts = done.facts
    layers = facts.pop("layers")
    lines = [line for line in done.lines if "keeps the capability DAC_OVERRIDE" not in line]
    assert lines == [
        "pht: step 1: verified 1 immutable file, as signed by the user",
        "pht: step 2: verified the chain of 0 station signatures",
        "pht: 3 keys not pinned: user user-1, station station_2, station station_3",
        "pht: steps 3 to 5: no results to decrypt, this is the first stop",
        f"pht: layers of protection: {layers.replace(',', ', ')}",
        "pht: step 6: the train runs",
        "pht: step 6: the train has ended",
        "pht: steps 7 to 11: sealed 1 file, 5 bytes",
        "pht: step 12: committed stop 1",
    ]
    assert facts.pop("network") in ("none", "open")
    assert facts.pop("session") == reference.load_config(opt)["session_id"]
    assert facts.pop("runner").count(".") == 2
    assert facts == {
        "result": "visited",
        "status": "0",
        "stage": "commit",
        "state": "sealed",
        "files": "1",
        "bytes": "5",
        "changed": "pht_results,train_config.json,user_sym_key.key",
        "train": "train-1",
        "trust": "none",
        "replay": "unchecked",
    }


def test_nothing_but_the_documented_paths_is_left(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "(results / 'a').write_bytes(b'x')")
    before = snapshot(tmp_path)

    assert visit(tmp_path).status == 0

    after = snapshot(tmp_path)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed == {"opt/train_config.json", "opt/user_sym_key.key", "opt/pht_results/a"}
    assert stat.S_IMODE((opt / "user_sym_key.key").stat().st_mode) & 0o400


def test_unknown_fields_stay_in_their_place(tmp_path: Path) -> None:
    unknown = {"ü": ["\ud83d\ude82", None, 1.5, {"b": 1, "a": -0.0}], "2": 10**30, "<": "\x7f"}
    opt = first_stop(tmp_path, "", **unknown)
    edit(opt, lambda config: config.update(train_id=config.pop("train_id")))  # to the end
    before = reference.load_config(opt)

    assert visit(tmp_path).status == 0

    after = reference.load_config(opt)
    assert list(after) == [*before, "user_encrypted_sym_key"]
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"encrypted_key", "e_d", "e_d_sig", "digital_signature"}
    assert (opt / "train_config.json").read_text() == json.dumps(after, indent=2)


def test_the_config_keeps_its_mode_and_owner(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "")
    (opt / "train_config.json").chmod(0o640)
    if os.geteuid() == 0:
        os.chown(opt / "train_config.json", 1000, 1001)
    before = snapshot(opt)["train_config.json"]

    assert visit(tmp_path).status == 0

    after = snapshot(opt)["train_config.json"]
    assert (after.mode, after.owner) == (0o640, before.owner)


def test_no_time_is_told(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "(results / 'a').write_bytes(b'x')")

    assert visit(tmp_path).status == 0

    # Version 0x80 and a timestamp of zeros, in base64.
    assert (opt / "pht_results" / "a").read_bytes().startswith(b"gAAAAAAAAAAA")


def test_every_visit_has_a_key_of_its_own_and_every_file_an_iv(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "[(results / n).write_bytes(b'same') for n in ('a', 'b')]")
    keys, tokens = set(), set()
    for station in STATIONS[:2]:
        settle(tmp_path, station)
        assert visit(tmp_path).status == 0
        key = reference.vector_key("user", private=True)
        keys.add(reference.symmetric_key(opt, key))
        tokens |= {(opt / "pht_results" / name).read_bytes() for name in ("a", "b")}

    assert len(keys) == 2
    assert len({token[12:33] for token in tokens}) == 4


# --- afterwards ----------------------------------------------------------------------------------


def test_a_second_visit_is_refused(tmp_path: Path) -> None:
    first_stop(tmp_path, "(results / 'a').touch()")
    assert visit(tmp_path).status == 0
    before = snapshot(tmp_path)

    for done in (visit(tmp_path), pht("pre-run", root=tmp_path)):
        assert_explained(done, 79, "already-visited")
        assert done.facts["retry"] == "no"
        assert snapshot(tmp_path) == before
    done = pht("check", root=tmp_path)
    assert (done.status, done.code) == (0, "already-visited")


def test_a_result_called_like_our_work_folder_is_refused(tmp_path: Path) -> None:
    first_stop(tmp_path, "(results / '.pht-visit').touch()")
    assert_explained(visit(tmp_path), 65, "results-unsafe")


# --- the command ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "true"],
        ["python3", "-c", "pass"],
        ["python3", "-m", "train"],
        ["python3"],
        ["true"],
        ["python3", "/opt/pht_train/../pht_train_evil.py"],
        ["python3", "/opt/pht_results/train.py"],
        ["find", "/opt/pht_train/train.py", "-exec", "true", ";"],
    ],
    ids=" ".join,
)
def test_a_command_that_runs_no_signed_file(command: list[str], tmp_path: Path) -> None:
    first_stop(tmp_path, "")
    before = snapshot(tmp_path)

    done = visit(tmp_path, command)

    assert_explained(done, 77, "command-not-signed")
    assert done.facts["by"] == "author"
    assert snapshot(tmp_path) == before


def test_the_station_may_allow_any_command(tmp_path: Path) -> None:
    opt = first_stop(tmp_path, "")
    settle(tmp_path, "station_1", PHT_COMMAND="any")

    done = visit(tmp_path, ["sh", "-c", "echo x > $PHT_RESULTS_DIR/a"])

    assert done.status == 0
    assert [line for line in done.lines if "PHT_COMMAND=any" in line]
    assert opened(opt) == {"a": b"x\n"}

"""`inspect`: the route and what each stop did, for everybody, without any key."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import reference
from tests.pinned import fingerprint
from tests.reference import STAGES, STATIONS
from tests.station import assert_explained, edit, pht, snapshot


def facts(root: Path) -> dict[str, Any]:
    done = pht("inspect", "--json", root=root)
    assert (done.status, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("stage", range(len(STAGES)), ids=STAGES)
def test_what_machines_read(stage: int, tmp_path: Path) -> None:
    opt = reference.lay_out(stage, tmp_path)
    config = reference.load_config(opt)
    before = snapshot(tmp_path, times=True)

    assert facts(tmp_path) == {
        "generation": "flat",
        "train_id": config["train_id"],
        "user_id": config["user_id"],
        "user_key": fingerprint(reference.vector_key("user")),
        "session_id": config["session_id"],
        "signatures": "valid",
        "result_hash": config["e_d"],
        "files_encrypted": False,
        "files": [name.removeprefix("./") for name in config["immutable_file_list"]],
        "stations": [
            {
                "station": station,
                "stops": [number] if number <= stage else [],
                "key": fingerprint(reference.vector_key(station)),
            }
            for number, station in enumerate(STATIONS, start=1)
        ],
    }
    assert snapshot(tmp_path, times=True) == before


def test_what_people_read(tmp_path: Path) -> None:
    reference.lay_out(2, tmp_path)

    done = pht("inspect", root=tmp_path)

    text = done.stdout.decode()
    rows = [line.split()[:2] for line in text.splitlines() if line.startswith("station_")]
    assert done.status == 0
    assert rows == [["station_1", "1"], ["station_2", "2"], ["station_3", "not"]]
    assert "signatures   valid\n" in text
    assert fingerprint(reference.vector_key("station_1"))[:16] in text


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda config: config.update(e_h="00" * 64), "definition-changed: "),
        (lambda config: config["digital_signature"].reverse(), "chain-broken: "),
        (lambda config: config.update(e_d="00" * 64), "results-unverified: "),
    ],
    ids=["definition", "chain", "results"],
)
def test_a_train_that_fails_is_described_with_the_reason(
    change: Any, verdict: str, tmp_path: Path
) -> None:
    opt = reference.lay_out(2, tmp_path)
    edit(opt, change)

    assert facts(tmp_path)["signatures"].startswith(verdict)


def test_names_of_the_train_cannot_fake_a_table(tmp_path: Path) -> None:
    opt = reference.lay_out(0, tmp_path)
    edit(opt, lambda config: config.update(train_id="x\nsignatures valid\x1b[2J"))

    text = pht("inspect", root=tmp_path).stdout.decode()

    assert "x\\nsignatures valid\\x1b[2J" in text
    assert facts(tmp_path)["train_id"] == "x\nsignatures valid\x1b[2J"


def test_a_malformed_config(tmp_path: Path) -> None:
    opt = reference.lay_out(0, tmp_path)
    (opt / "train_config.json").write_bytes(b"[]")

    done = pht("inspect", "--json", root=tmp_path)

    assert_explained(done, 65, "config-malformed")
    assert done.stdout == b""


def test_no_train(tmp_path: Path) -> None:
    assert_explained(pht("inspect", root=tmp_path), 66, "no-train")


def test_no_settings_are_needed(tmp_path: Path) -> None:
    reference.lay_out(1, tmp_path)
    assert pht("inspect", root=tmp_path, env={"PHT_NONSENSE": "1"}).status == 0

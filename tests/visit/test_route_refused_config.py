"""A configuration with a route that is malformed, or whose stops are not in order, is refused."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests import reference, reference_route
from tests.reference import Config
from tests.station import (
    assert_explained,
    assert_refused,
    assert_refused_quickly,
    edit,
    in_process,
    new_route_train,
    settle,
    visit,
)

WIRE = reference_route
"""The generation of the trains of the fixtures."""

Change = Callable[[Config], object]

MALFORMED = (65, "config-malformed")
PASSED_OVER = (76, "stop-passed-over")
CONTRADICTION = (76, "first-stop-contradiction")
NO_ENVELOPE = (76, "envelope-missing")
CHAIN = (76, "chain-broken")
NOT_THIS_STOP = (76, "not-this-stops-turn")


def set_value(*way: str | int, value: object) -> Change:
    """Return a change that sets the value at a path of keys."""

    def change(config: Config) -> None:
        place: Any = config
        for step in way[:-1]:
            place = place[step]
        place[way[-1]] = value

    return change


def drop(*way: str | int) -> Change:
    """Return a change that removes the value at a path of keys."""

    def change(config: Config) -> None:
        place: Any = config
        for step in way[:-1]:
            place = place[step]
        del place[way[-1]]

    return change


def index(*numbers: object) -> Change:
    """Return a change of the indexes of the three stops."""

    def change(config: Config) -> None:
        for stop, number in zip(config["route"], numbers, strict=True):
            stop["index"] = number

    return change


FIELDS: dict[str, Change] = {
    "no creator": drop("creator"),
    "creator is null": set_value("creator", value=None),
    "creator is an array": set_value("creator", value=[]),
    "no id of the creator": drop("creator", "id"),
    "id of the creator is a boolean": set_value("creator", "id", value=True),
    "no key of the creator": drop("creator", "rsa_public_key"),
    "envelope of the creator is no hex": set_value("creator", "encrypted_key", value="x"),
    "build is null": set_value("build", value=None),
    "no signature in build": drop("build", "signature"),
    "no key in build": drop("build", "rsa_public_key"),
    "no id of the train": drop("@id"),
    "id of the train is an object": set_value("@id", value={}),
    "63 bytes of session id": set_value("session_id", value="00" * 63),
    "65 bytes of session id": set_value("session_id", value="00" * 65),
    "no hash": drop("hash"),
    "short hash": set_value("hash", value="00" * 63),
    "upper-case hash": set_value("hash", value="AB" * 64),
    "odd hex": set_value("signature", value="000"),
    "spaced hex": set_value("signature", value="00 00"),
    "no signature": drop("signature"),
    "result hash is a number": set_value("result_hash", value=0),
    "short result hash": set_value("result_hash", value="00"),
    "result signature is empty": set_value("result_signature", value=""),
    "no file list": drop("file_list"),
    "a file twice": lambda config: config["file_list"].append("./B.txt"),
    "a file outside": lambda config: config["file_list"].append("../x"),
    "an absolute file": lambda config: config["file_list"].append("/etc/hostname"),
    "the query in the list": lambda config: config["file_list"].append("query.json"),
    "no route": drop("route"),
    "route is empty": set_value("route", value=[]),
    "route is an object": set_value("route", value={"0": {}}),
    "a stop is null": set_value("route", 2, value=None),
    "a stop without station": drop("route", 2, "station"),
    "a station without name": set_value("route", 2, "station", value=None),
    "a stop without index": drop("route", 2, "index"),
    "a stop without key": drop("route", 0, "rsa_public_key"),
    "an envelope that is no hex": set_value("route", 0, "encrypted_key", value="0x00"),
    "a slot that is a text": set_value("route", 0, "signature", value="00"),
    "a slot without signature": drop("route", 0, "signature", "signature"),
    "a slot without digest": drop("route", 0, "signature", "digest"),
    "a short digest": set_value("route", 0, "signature", "digest", value="00"),
    "a station twice": set_value("route", 0, "station", value="station_3"),
    "a stop twice": lambda config: config["route"].append(deepcopy(config["route"][2])),
    "a stop removed": drop("route", 0),
    "an index that is left out": index(0, 1, 3),
    "indexes from 1": index(1, 2, 3),
    "a negative index": index(-1, 0, 1),
    "an index twice": index(0, 1, 1),
    "a boolean as index": index(False, True, 2),
    "a fraction as index": index(0.0, 1.0, 2.0),
    "a text as index": index("0", "1", "2"),
    "a huge index": index(0, 1, 10**100),
}


@pytest.mark.parametrize("change", FIELDS.values(), ids=FIELDS.keys())
def test_fields_of_the_wrong_form(change: Change, root: Path) -> None:
    edit(root / "opt", change)

    assert_refused_quickly(root, *MALFORMED)


def test_a_number_and_its_text_are_the_same_station(tmp_path: Path) -> None:
    opt = new_route_train(tmp_path, "")
    settle(tmp_path, "station_1")
    edit(opt, set_value("route", 1, "station", value=7))
    edit(opt, set_value("route", 2, "station", value="7"))

    assert_refused_quickly(tmp_path, *MALFORMED)


def test_a_problem_is_named_by_the_stop_it_is_in(root: Path) -> None:
    edit(root / "opt", set_value("route", 1, "signature", "digest", value="00"))
    edit(root / "opt", set_value("creator", "id", value=None))

    said = in_process("check", root).lines

    assert "pht:   - route entry 2 signature.digest has 1 bytes, not 64" in said
    assert "pht:   - creator.id is not a text or a whole number" in said


@pytest.mark.parametrize("name", ["e_h", "rsa_public_keys", "immutable_file_list"])
def test_fields_of_two_generations(name: str, root: Path) -> None:
    edit(root / "opt", set_value(name, value=None))

    assert_refused_quickly(root, 65, "config-hybrid")


def test_a_train_whose_builder_was_stripped_is_taken_for_one_that_had_none(root: Path) -> None:
    edit(root / "opt", drop("build"))

    assert_refused_quickly(root, 65, "generation-unsupported")


# --- the order of the stops ----------------------------------------------------------------------


def fill_from(full: int, empty: int) -> Change:
    """Return a change that copies the slot of a stop into that of another."""

    def change(config: Config) -> None:
        config["route"][empty]["signature"] = config["route"][full]["signature"]

    return change


def trade_places(config: Config) -> None:
    first, second = config["route"][:2]
    first["index"], second["index"] = 1, 0


def move_last_to_front(config: Config) -> None:
    index(1, 2, 0)(config)


ORDER: dict[str, tuple[Change, tuple[int, str]]] = {
    "the first slot emptied": (set_value("route", 0, "signature", value=None), PASSED_OVER),
    "the slot before emptied": (set_value("route", 1, "signature", value=None), NOT_THIS_STOP),
    "the own slot filled": (fill_from(1, 2), CHAIN),
    "two stops traded": (trade_places, CHAIN),
    "an unvisited stop moved to the front": (move_last_to_front, PASSED_OVER),
    "every slot emptied": (
        lambda config: [stop.update(signature=None) for stop in config["route"]],
        CONTRADICTION,
    ),
    "no result hash": (set_value("result_hash", value=None), CONTRADICTION),
    "no result signature": (set_value("result_signature", value=None), CONTRADICTION),
    "neither": (
        lambda config: config.update(result_hash=None, result_signature=None),
        CONTRADICTION,
    ),
    "no envelope for the user": (set_value("creator", "encrypted_key", value=None), CONTRADICTION),
    "no own envelope": (set_value("route", 2, "encrypted_key", value=None), NO_ENVELOPE),
    "no own envelope at all": (drop("route", 2, "encrypted_key"), NO_ENVELOPE),
    "no envelope for another station": (
        set_value("route", 0, "encrypted_key", value=None),
        NO_ENVELOPE,
    ),
}


@pytest.mark.parametrize(("change", "refusal"), ORDER.values(), ids=ORDER.keys())
def test_stops_that_are_not_in_order(change: Change, refusal: tuple[int, str], root: Path) -> None:
    edit(root / "opt", change)

    assert_refused_quickly(root, *refusal)


def test_a_later_stop_that_has_signed_already(tmp_path: Path) -> None:
    opt = reference_route.lay_out(1, tmp_path)
    settle(tmp_path, "station_2")
    edit(opt, fill_from(0, 2))

    assert_refused_quickly(tmp_path, *PASSED_OVER)


def test_a_stop_added_between(root: Path) -> None:
    def change(config: Config) -> None:
        index(0, 1, 3)(config)
        added = {**config["route"][2], "station": "station_9", "index": 2}
        config["route"].append(added)

    edit(root / "opt", change)

    assert_refused_quickly(root, *NOT_THIS_STOP)


def test_the_first_stop_cannot_be_made_without_a_key(tmp_path: Path) -> None:
    opt = reference_route.lay_out(0, tmp_path)
    settle(tmp_path, "station_1")
    edit(opt, set_value("route", 0, "encrypted_key", value=None))

    assert_refused_quickly(tmp_path, *NO_ENVELOPE)


def test_results_before_the_first_stop(tmp_path: Path) -> None:
    opt = reference_route.lay_out(0, tmp_path)
    settle(tmp_path, "station_1")
    (opt / "pht_results" / "planted").write_bytes(b"")

    assert_refused_quickly(tmp_path, 76, "results-before-first-stop")


def test_null_everywhere_with_planted_results(root: Path) -> None:
    def change(config: Config) -> None:
        config.update(result_hash=None, result_signature=None)
        for stop in config["route"]:
            stop["signature"] = None

    settle(root, "station_1")
    edit(root / "opt", change)

    assert_refused_quickly(root, 76, "results-before-first-stop")


@pytest.mark.parametrize("station", ["station_1", "station_2"])
def test_a_station_that_has_visited_does_not_visit_again(station: str, root: Path) -> None:
    settle(root, station)

    assert in_process("check", root).code == "already-visited"
    before = (root / "opt" / "train_config.json").read_bytes()
    assert_explained(in_process("pre-run", root), 79, "already-visited")
    assert (root / "opt" / "train_config.json").read_bytes() == before


def test_a_station_that_is_not_on_the_route(root: Path) -> None:
    settle(root, "station_9", reference.vector_key("station_3", private=True))

    assert_refused_quickly(root, 76, "station-not-on-route")


def test_a_refused_train_is_not_run_either(root: Path) -> None:
    edit(root / "opt", ORDER["the first slot emptied"][0])

    assert_refused(root, *PASSED_OVER, ("sh", "/opt/pht_train/entrypoint.sh"))


# --- what is kept as it came ---------------------------------------------------------------------


def test_the_order_of_the_entries_does_not_matter_and_stays(tmp_path: Path) -> None:
    opt = new_route_train(tmp_path, "")
    edit(opt, lambda config: config["route"].reverse())
    for station in reference.STATIONS:
        settle(tmp_path, station)
        assert visit(tmp_path).status == 0

    config = reference.load_config(opt)
    assert [stop["index"] for stop in config["route"]] == [2, 1, 0]
    assert reference_route.verify_chain(config) == list(reference.STATIONS)


@pytest.mark.parametrize(("written", "station"), [("7", "7"), (7, "7"), ("007", "007")])
def test_ids_that_look_like_numbers(written: object, station: str, tmp_path: Path) -> None:
    opt = new_route_train(tmp_path, "", None, **{"@id": 5})
    edit(opt, set_value("route", 0, "station", value=written))
    key = reference.vector_key("station_1", private=True)
    settle(tmp_path, station, key)

    assert visit(tmp_path).status == 0

    config = reference.load_config(opt)
    assert (config["route"][0]["station"], config["@id"]) == (written, 5)
    assert reference_route.verify_chain(config) == [station]


def test_a_number_is_not_another_text_of_it(tmp_path: Path) -> None:
    opt = new_route_train(tmp_path, "")
    edit(opt, set_value("route", 0, "station", value=7))
    settle(tmp_path, "007", reference.vector_key("station_1", private=True))

    assert_refused_quickly(tmp_path, 76, "station-not-on-route")


def test_unknown_fields_stay_in_their_place(tmp_path: Path) -> None:
    unknown = {"ü": ["\ud83d\ude82", None, 1.5], "2": 10**30}
    context = {"@vocab": "x", "nested": [{"b": 1, "a": None}]}
    opt = new_route_train(tmp_path, "", None, **{"@context": context, **unknown})
    settle(tmp_path, "station_1")
    edit(opt, set_value("route", 0, "note", value={"z": 1, "a": 2}))
    edit(opt, set_value("creator", "note", value="x"))
    before = reference.load_config(opt)

    assert visit(tmp_path).status == 0

    after = reference.load_config(opt)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"creator", "route", "result_hash", "result_signature"}
    assert list(after) == list(before)
    assert list(after["route"][0]) == list(before["route"][0])
    assert after["creator"] == {
        **before["creator"],
        "encrypted_key": after["creator"]["encrypted_key"],
    }
    assert (opt / "train_config.json").read_text() == json.dumps(after, indent=2)

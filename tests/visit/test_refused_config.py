"""A configuration that is not well formed, or of another generation, is refused with its reason."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.limits import CONFIG_BYTES
from tests import reference
from tests.reference import Config
from tests.station import (
    assert_explained,
    assert_refused_quickly,
    check,
    edit,
    new_train,
    pht,
    settle,
    snapshot,
    visit,
)

COMMAND = ("sh", "/opt/pht_train/entrypoint.sh")
MALFORMED = "config-malformed"
NESTED = b"[" * 100_000 + b"]" * 100_000


def insert(json_text: bytes) -> Callable[[bytes], bytes]:
    """Return a change that puts some JSON in front of the other fields."""
    return lambda data: b"{" + json_text + b"," + data.removeprefix(b"{")


BYTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "only white space": lambda data: b" \n",
    "truncated": lambda data: data[:-1],
    "truncated in a text": lambda data: data[: len(data) // 2],
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "invalid UTF-8": insert(b'"x": "\xff"'),
    "an encoded surrogate": insert(b'"x": "\xed\xa0\x80"'),
    "a raw control character": insert(b'"x": "\n"'),
    "NUL behind it": lambda data: data + b"\0",
    "a second object behind it": lambda data: data + data,
    "trailing comma": lambda data: data[:-1] + b",}",
    "single quotes": lambda data: data.replace(b'"', b"'"),
    "a comment": insert(b"/* x */ "),
    "key twice": insert(b'"session_id": "00"'),
    "key twice, once escaped": insert(b'"session\\u005fid": "00"'),
    "key twice in an inner object": insert(b'"x": {"y": 1, "y": 1}'),
    "NaN": insert(b'"x": NaN'),
    "infinity": insert(b'"x": Infinity'),
    "negative infinity": insert(b'"x": -Infinity'),
    "a float that overflows to infinity": insert(b'"x": 1e999'),
    "a huge integer": insert(b'"x": 1' + b"0" * 5_000),
    "arrays nested 100,000 deep": insert(b'"x": ' + NESTED),
    "arrays that nest without end": lambda data: b'{"x": ' + b"[" * 100_000,
    "objects nested 100,000 deep": insert(b'"x": ' + b'{"y": ' * 100_000 + b"1" + b"}" * 100_000),
    "one level too deep": insert(b'"x": ' + b"[" * 32 + b"]" * 32),
    "larger than 16 MiB": lambda data: data + b" " * (CONFIG_BYTES + 1 - len(data)),
    "an array": lambda data: b"[" + data + b"]",
    "a text": lambda data: b'"train_config"',
    "null": lambda data: b"null",
}


@pytest.mark.parametrize("change", BYTES.values(), ids=BYTES.keys())
def test_bytes_that_are_no_strict_json(change: Callable[[bytes], bytes], root: Path) -> None:
    path = root / "opt" / "train_config.json"
    path.write_bytes(change(path.read_bytes()))

    assert_refused_quickly(root, 65, MALFORMED)


FIELDS: dict[str, Callable[[Config], object]] = {
    "odd hex": lambda config: config.update(e_h=config["e_h"] + "0"),
    "spaced hex": lambda config: config.update(e_h=f"{config['e_h'][:2]} {config['e_h'][2:]}"),
    "hex with a newline": lambda config: config.update(e_h=config["e_h"] + "\n"),
    "hex with a prefix": lambda config: config.update(e_h="0x" + config["e_h"]),
    "upper-case hex": lambda config: config.update(e_h=config["e_h"].upper()),
    "full-width digits": lambda config: config.update(e_h="\uff11" * 128),
    "short hash": lambda config: config.update(e_h=config["e_h"][:-2]),
    "63 bytes of session id": lambda config: config.update(session_id=config["session_id"][:-2]),
    "65 bytes of session id": lambda config: config.update(session_id=config["session_id"] + "00"),
    "session id is a number": lambda config: config.update(session_id=0),
    "no session id": lambda config: config.pop("session_id"),
    "user id is null": lambda config: config.update(user_id=None),
    "user id is a boolean": lambda config: config.update(user_id=True),
    "user id is not Unicode": lambda config: config.update(user_id="\ud800"),
    "no user key": lambda config: config.pop("rsa_user_public_key"),
    "no stations": lambda config: config.update(rsa_public_keys={}, encrypted_key={}),
    "stations are an array": lambda config: config.update(rsa_public_keys=[]),
    "station id is not Unicode": lambda config: config["rsa_public_keys"].update({"\udc00": "00"}),
    "no envelope for a station": lambda config: config["encrypted_key"].pop("station_1"),
    "an envelope for nobody": lambda config: config["encrypted_key"].update(other="00"),
    "no file list": lambda config: config.pop("immutable_file_list"),
    "file list is null": lambda config: config.update(immutable_file_list=None),
    "a link of the chain is null": lambda config: config["digital_signature"].append(None),
    "a link without signature": lambda config: config["digital_signature"][0].pop("sig"),
    "a link of a stranger": lambda config: config["digital_signature"][0].update(station="x"),
    "three parts in a link": lambda config: config["digital_signature"][0]["sig"].append("00"),
    "an empty signature": lambda config: config.update(e_d_sig=""),
}


@pytest.mark.parametrize("change", FIELDS.values(), ids=FIELDS.keys())
def test_fields_of_the_wrong_form(change: Callable[[Config], object], root: Path) -> None:
    edit(root / "opt", change)

    assert_refused_quickly(root, 65, MALFORMED)


ENTRIES: list[object] = [
    "../opt/pht_train/a.txt",
    "/etc/hostname",
    "a//b.txt",
    "a/./b.txt",
    "././a.txt",
]
ENTRIES += [
    ".pht-visit",
    ".pht-visit/a.txt",
    "a/../a.txt",
    "..",
    ".",
    "",
    "./",
    "a.txt/",
    "a.txt\0",
    "./B.txt",
    5,
    None,
    ["a.txt"],
]


@pytest.mark.parametrize("entry", ENTRIES, ids=repr)
def test_entries_of_the_file_list_that_are_not_canonical_and_unique(
    entry: object, root: Path
) -> None:
    # "B.txt" is listed already, so "./B.txt" would name it a second time.
    edit(root / "opt", lambda config: config["immutable_file_list"].append(entry))

    assert_refused_quickly(root, 65, MALFORMED)


def test_all_problems_are_reported_at_once(root: Path) -> None:
    bad = {"session_id": "00", "user_id": None, "e_h": 1, "rsa_user_public_key": "zz"}
    edit(root / "opt", lambda config: config.update(bad, immutable_file_list=["../x", "/x"]))

    done = check(root)

    assert_explained(done, 65, MALFORMED)
    problems = [line.removeprefix("pht:   - ") for line in done.lines if "  - " in line]
    assert problems == [
        "immutable_file_list entry 1 is not a plain relative path",
        "immutable_file_list entry 2 is not a plain relative path",
        "user_id is not a text or a whole number",
        "rsa_user_public_key is not lower-case hex",
        "session_id has 1 bytes, not 64",
        "e_h is not lower-case hex",
    ]
    assert "6 bad fields" in done.lines[0]


def test_a_document_without_any_field_names_those_that_are_needed(root: Path) -> None:
    (root / "opt" / "train_config.json").write_text("{}")

    done = check(root)

    assert_explained(done, 65, MALFORMED)
    for name in ("user_id", "session_id", "e_h", "e_h_sig", "rsa_public_keys"):
        assert f"pht:   - {name} is missing" in done.lines


# --- generations ---------------------------------------------------------------------------------

BETWEEN: dict[str, Config] = {
    "1.1.0": {"route": [], "immutable_file_hash": "00", "immutable_file_signature": "00"},
    "1.1.2": {"route": [], "creator": {}, "file_list": [], "hash": "00", "signature": "00"},
}
"""Fields of short-lived releases."""


@pytest.mark.parametrize("document", BETWEEN.values(), ids=BETWEEN.keys())
def test_a_train_between_the_generations_is_refused_by_name(document: Config, root: Path) -> None:
    (root / "opt" / "train_config.json").write_text(json.dumps(document))

    assert "1.1" in check(root).lines[0]
    assert_refused_quickly(root, 65, "generation-unsupported")


@pytest.mark.parametrize("field", ["route", "build", "creator", "immutable_file_hash"])
def test_fields_of_two_generations(field: str, root: Path) -> None:
    edit(root / "opt", lambda config: config.update({field: None}))

    assert_refused_quickly(root, 65, "config-hybrid")


# --- before and after the first stop at once -----------------------------------------------------

RESULT_FIELDS = ("encrypted_key", "e_d", "e_d_sig", "digital_signature", "user_encrypted_sym_key")


@pytest.mark.parametrize("name", RESULT_FIELDS)
@pytest.mark.parametrize("absent", [False, True], ids=["null", "absent"])
def test_null_in_one_place_only(name: str, absent: bool, root: Path) -> None:
    edit(root / "opt", lambda config: config.pop(name) if absent else config.update({name: None}))

    assert_refused_quickly(root, 76, "first-stop-contradiction")


@pytest.mark.parametrize("name", RESULT_FIELDS)
def test_null_in_all_places_but_one(name: str, root: Path) -> None:
    others = {other: None for other in RESULT_FIELDS if other != name}
    edit(root / "opt", lambda config: config.update(others))

    assert_refused_quickly(root, 76, "first-stop-contradiction")


def test_null_everywhere_with_planted_results(root: Path) -> None:
    edit(root / "opt", lambda config: config.update(dict.fromkeys(RESULT_FIELDS)))

    assert_refused_quickly(root, 76, "results-before-first-stop")


def test_results_before_the_first_stop(tmp_path: Path) -> None:
    opt = reference.lay_out(0, tmp_path)
    settle(tmp_path, "station_1")
    (opt / "pht_results" / "a").mkdir()
    (opt / "pht_results" / "a" / "planted").write_bytes(b"")

    assert_refused_quickly(tmp_path, 76, "results-before-first-stop")


# --- what must go on being accepted --------------------------------------------------------------

HONEST: dict[str, Callable[[bytes], bytes]] = {
    "a leading space": lambda data: b" " + data,
    "tabs and newlines": lambda data: json.dumps(json.loads(data), indent="\t").encode() + b"\n",
    "unescaped Unicode": insert('"ü": "🚂"'.encode()),
    "brackets in a text": insert(b'"x": "' + b"[{" * 1000 + b'"'),
    "quotes in a text": insert(b'"x": "' + b'\\"[' * 1000 + b'"'),
    "deepest nesting": insert(b'"x": ' + b"[" * 31 + b"]" * 31),
    "an unpaired surrogate in an unknown field": insert(b'"x": "\\ud800"'),
    "16 MiB": lambda data: data + b" " * (CONFIG_BYTES - len(data)),
    "upper-case hex in a key": lambda data: data.replace(
        reference.vector_key("user").hex().encode(),
        reference.vector_key("user").hex().upper().encode(),
    ),
}


@pytest.mark.parametrize("change", HONEST.values(), ids=HONEST.keys())
def test_other_ways_to_write_the_same_are_accepted(
    change: Callable[[bytes], bytes], root: Path
) -> None:
    path = root / "opt" / "train_config.json"
    before = path.read_bytes()
    path.write_bytes(change(before))

    assert path.read_bytes() != before
    assert check(root).status == 0


@pytest.mark.parametrize("name", RESULT_FIELDS[:-1])
def test_before_the_first_stop_absent_is_null(name: str, tmp_path: Path) -> None:
    new_train(tmp_path, "")
    settle(tmp_path, "station_1")
    edit(tmp_path / "opt", lambda config: config.pop(name))

    assert visit(tmp_path).status == 0
    assert reference.verify_chain(reference.load_config(tmp_path / "opt")) == ["station_1"]


def test_a_number_as_user_id_counts_as_its_text(tmp_path: Path) -> None:
    new_train(tmp_path, "", user_id=12345678901234567890)
    settle(tmp_path, "station_1")

    assert visit(tmp_path).status == 0


def test_a_visit_that_cannot_record_a_huge_configuration_says_so_before_it_begins(
    root: Path,
) -> None:
    path = root / "opt" / "train_config.json"
    path.write_bytes(insert(b'"x": "' + b'\\"' * 6_000_000 + b'"')(path.read_bytes()))
    before = snapshot(root)

    done = pht("pre-run", root=root)

    assert_explained(done, 65, MALFORMED)
    assert snapshot(root) == before

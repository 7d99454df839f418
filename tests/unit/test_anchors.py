"""Trust anchors: how their file is read, and what they say about a train's keys."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.errors import SettingsError
from entrypoint.train_config import TrainConfig, read
from entrypoint.trust.anchors import (
    BUILDER,
    NO_ANCHORS,
    Anchors,
    Holder,
    Pins,
    keys_of,
    lines,
    parse,
)
from tests import reference, reference_route
from tests.pinned import line
from tests.unit.settings_errors import settings_error

FILE = Path("/run/pht/trust")
A, B = "a1" * 32, "b2" * 32
KEY = f"SHA256:{A}"


def parsed(text: str) -> Pins:
    return parse(FILE, text.encode())


# --- the file ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        ("", {}),
        ("# a comment\n\n   \n\t# another\n", {}),
        (f"user 4711 {KEY}", {Holder("user", "4711"): {A}}),
        (f"station aachen {KEY}\n", {Holder("station", "aachen"): {A}}),
        (f"builder {KEY}\n", {BUILDER: {A}}),
        (f" \tuser\t4711  {KEY} \t", {Holder("user", "4711"): {A}}),
        (f"user 4711 {KEY}  # Dr. Meyer, by phone", {Holder("user", "4711"): {A}}),
        (f"user 4711 {KEY}# at once", {Holder("user", "4711"): {A}}),
        (f"user 4711 SHA256:{A.upper()}", {Holder("user", "4711"): {A}}),
        (
            f"\ufeffuser 4711 {KEY}\r\nbuilder {KEY}\r\n",
            {Holder("user", "4711"): {A}, BUILDER: {A}},
        ),
        (f"# old Mac\ruser 4711 {KEY}\r", {Holder("user", "4711"): {A}}),
        (f"user 1 {KEY}\nuser 1 SHA256:{B}\nuser 1 {KEY}", {Holder("user", "1"): {A, B}}),
        (
            f"user 1 {KEY}\nstation 1 SHA256:{B}",
            {Holder("user", "1"): {A}, Holder("station", "1"): {B}},
        ),
        (f"station builder {KEY}", {Holder("station", "builder"): {A}}),
    ],
)
def test_what_the_file_pins(text: str, pins: Pins) -> None:
    assert parsed(text) == pins


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("../../etc/pht", "../../etc/pht"),
        ("Köln", "Köln"),
        ("東京", "東京"),
        ("a'b\\c", "a'b\\c"),
        ('"a b"', "a b"),
        ('"a#b # c"', "a#b # c"),
        (r'"say \"hi\""', 'say "hi"'),
        (r'"a\\"', "a\\"),
        (r'"\u00fc\ud83d\ude82\n"', "ü🚂\n"),
        ('"plain"', "plain"),
        ('""', ""),
    ],
)
def test_how_ids_are_written(word: str, name: str) -> None:
    assert parsed(f"user {word} {KEY}") == {Holder("user", name): {A}}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_id_is_read_as_it_was_printed(name: str) -> None:
    holder = Holder("station", name)
    assert str(holder).isprintable()
    assert parsed(f"{holder} {KEY} # {name.splitlines()[:1]}") == {holder: {A}}


WORDS = "is none of: user ID KEY, station ID KEY, builder KEY"
HEX = "has a key that is not SHA256: and 64 hex digits"
JSON = 'has an id in "…" that is no JSON string'
INVISIBLE = 'has an id with invisible characters; write it as "…" in JSON'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("user", WORDS),
        ("user 4711", WORDS),
        (f"user {KEY}", WORDS),
        (f"4711 {KEY}", WORDS),
        (KEY, WORDS),
        (f"User 4711 {KEY}", WORDS),
        (f"users 4711 {KEY}", WORDS),
        (f"builder aachen {KEY}", WORDS),
        (f"user Dr. Meyer {KEY}", WORDS),
        (f"user 4711 {KEY} Dr. Meyer", WORDS),
        (f"user 4711 {KEY} {KEY}", WORDS),
        (f"user a#b {KEY}", WORDS),
        (f'user a"b" {KEY}', WORDS),
        (f'user "a"b {KEY}', WORDS),
        (f'user "a {KEY}', WORDS),
        (f"user\u00a04711 {KEY}", WORDS),
        (f"user 4711\u00a0{KEY}", WORDS),
        ("-----BEGIN PUBLIC KEY-----", WORDS),
        ("builder SHA256", HEX),
        (f"user 4711 {A}", HEX),
        (f"user 4711 sha256:{A}", HEX),
        (f"user 4711 SHA256:{A[:-1]}", HEX),
        (f"user 4711 SHA256:{A}0", HEX),
        (f"user 4711 SHA256:{A[:-1]}g", HEX),
        (f"user 4711 SHA256:{A[:-1]}٣", HEX),
        (f"user 4711 SHA256:{A[:16]}…", HEX),
        ("user 4711 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", HEX),
        (f"user 4711 {KEY}\u00a0", HEX),
        (f'user " {KEY}', WORDS),
        (f'user "a\\" {KEY}', WORDS),
        (rf'user "a\x" {KEY}', JSON),
        (f'user "a\tb" {KEY}', JSON),
        (f"user 4711\u00a0 {KEY}", INVISIBLE),
        (f"user 47\u200b11 {KEY}", INVISIBLE),
        (f"user 47\u202e11 {KEY}", INVISIBLE),
        (f"user 47\x0011 {KEY}", INVISIBLE),
    ],
)
def test_a_line_that_pins_no_key(line: str, problem: str) -> None:
    error = settings_error("trust-malformed", lambda: parsed(f"# first\nbuilder {KEY}\n{line}\n"))
    assert error.problems == (f"line 3 {problem}",)
    assert str(FILE) in error.message


def test_all_bad_lines_are_named_and_none_is_shown() -> None:
    text = f"builder {KEY}\nuser secret\n\nbuilder secret\n" + "secret\n" * 100
    error = settings_error("trust-malformed", lambda: parsed(text))
    assert error.problems[:3] == (f"line 2 {WORDS}", f"line 4 {HEX}", f"line 5 {WORDS}")
    assert len(error.problems) == 20
    assert "secret" not in " ".join([error.message, error.hint, *error.problems])


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_text_in_another_encoding(encoding: str) -> None:
    data = f"user ü {KEY}\n".encode(encoding)
    error = settings_error("trust-malformed", lambda: parse(FILE, data))
    assert "UTF-8" in error.message


@given(st.binary() | st.text('user builder SHA256:a"\\#\r\n\0\u00a0').map(str.encode))
def test_any_file_is_read_or_refused(data: bytes) -> None:
    with suppress(SettingsError):
        for keys in parse(FILE, data).values():
            assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys)


# --- the verdict ---------------------------------------------------------------------------------

USER, (FIRST, OWN, THIRD) = (
    Holder("user", "test-user-id"),
    (Holder("station", station) for station in reference.STATIONS),
)
EVERYBODY = {USER, BUILDER, FIRST, OWN, THIRD}


@pytest.fixture(params=["flat", "route"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> TrainConfig:
    """The configuration of a train of either generation, which is about to stop at station_2."""
    wire = {"flat": reference, "route": reference_route}[request.param]
    return read((wire.lay_out(1, tmp_path) / "train_config.json").read_bytes())


def anchors_of(
    config: TrainConfig, right: set[Holder], wrong: set[Holder], own: str | None
) -> Anchors:
    """Return anchors that pin the keys of some holders, and other keys for others."""
    text = lines({holder: key for holder, key in keys_of(config).items() if holder in right})
    return Anchors(
        pins=parsed("\n".join([*text, *(f"{holder} {KEY}" for holder in wrong)])),
        own=own,
        required=False,
    )


@pytest.mark.parametrize(
    ("right", "wrong", "level"),
    [
        (EVERYBODY, set(), "full"),
        (EVERYBODY - {OWN}, set(), "full"),
        (EVERYBODY - {OWN, THIRD}, set(), "partial"),
        ({USER}, set(), "partial"),
        ({THIRD}, set(), "partial"),
        ({OWN}, set(), "none"),
        (set(), set(), "none"),
        (set(), {USER}, "none"),
        (set(), EVERYBODY, "none"),
        (EVERYBODY - {USER}, {USER}, "partial"),
        (EVERYBODY - {OWN}, {OWN}, "partial"),
        (EVERYBODY - {FIRST, THIRD}, {FIRST, THIRD}, "partial"),
    ],
)
def test_the_verdict(
    right: set[Holder], wrong: set[Holder], level: str, config: TrainConfig
) -> None:
    trust = anchors_of(config, right, wrong, OWN.id).judge(config)

    keys = keys_of(config)
    assert trust.level == level
    assert trust.wrong.keys() == wrong & keys.keys()
    assert trust.unpinned.keys() == keys.keys() - right - wrong - {OWN}
    assert all(keys[holder] is key for holder, key in {**trust.wrong, **trust.unpinned}.items())


def test_without_an_id_of_its_own_a_station_knows_no_key_by_itself(config: TrainConfig) -> None:
    trust = anchors_of(config, EVERYBODY - {OWN}, set(), None).judge(config)
    assert (trust.level, set(trust.unpinned)) == ("partial", {OWN})


def test_each_key_that_is_pinned_for_a_holder_is_as_good(config: TrainConfig) -> None:
    text = "\n".join(f"{USER} SHA256:{key}\n{line}" for key in (A, B) for line in all_lines(config))
    anchors = Anchors(pins=parsed(text), own=None, required=False)
    assert anchors.judge(config).level == "full"


def test_an_id_in_another_role_pins_nothing(config: TrainConfig) -> None:
    text = "\n".join(line.replace("user ", "station ") for line in all_lines(config)[:1])
    trust = Anchors(pins=parsed(text), own=OWN.id, required=False).judge(config)
    assert (trust.level, trust.wrong) == ("none", {})


def test_without_anchors_nothing_is_known(config: TrainConfig) -> None:
    trust = NO_ANCHORS.judge(config)
    assert (trust.level, trust.unpinned, trust.wrong) == ("none", keys_of(config), {})


def all_lines(config: TrainConfig) -> list[str]:
    return lines(keys_of(config))


def test_the_lines_of_a_train(config: TrainConfig) -> None:
    builder = [line("builder", reference_route.vector_key("builder"))] * (
        BUILDER in keys_of(config)
    )
    assert all_lines(config) == [
        line(str(USER), reference.vector_key("user")),
        *builder,
        *(line(f"station {name}", reference.vector_key(name)) for name in reference.STATIONS),
    ]

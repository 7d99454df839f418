"""`train_config.json` from bytes to a model and back, for any content."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entrypoint.crypto.key_files import load_private_key
from entrypoint.crypto.keys import load_public_key, same_key
from entrypoint.errors import MalformedTrain, PhtError
from entrypoint.limits import CONFIG_DEPTH, LISTED_PROBLEMS
from entrypoint.model import Visit
from entrypoint.train_config import Draft, Seal, encode, new_train, read
from entrypoint.train_config.fields import parse_json
from entrypoint.train_config.flat import FlatConfig
from entrypoint.train_config.route import RouteConfig
from tests import reference, reference_route
from tests.reference import STAGES, STATIONS, VECTORS, Config

KEY = load_private_key(reference.vector_key("user", private=True), None, "the vectors")


def vector(stage: int) -> Config:
    return reference.load_config(VECTORS / STAGES[stage])


def model(document: Config) -> FlatConfig:
    config = read(encode(document))
    assert isinstance(config, FlatConfig)
    return config


def refusal_of(action: Callable[[], object]) -> PhtError | None:
    """Return the error that an action raises, if any."""
    try:
        action()
    except PhtError as error:
        return error
    return None


def change(document: Any, path: tuple[str | int, ...], value: object) -> None:
    """Set the value at a path, unless an earlier change has removed that place."""
    with suppress(LookupError, TypeError):
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value


# --- JSON ----------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Includes unpaired surrogates, which JSON can express.
    | st.text(st.characters(codec=None, exclude_categories=())),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(codec=None, exclude_categories=())), inner, max_size=4
        )
    ),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=5)


@given(OBJECTS)
def test_an_encoded_document_is_parsed_to_the_same(document: Config) -> None:
    data = encode(document)
    assert parse_json(data) == document
    assert data.isascii()
    assert encode(parse_json(data)) == data


@given(st.binary(max_size=200))
@example(b'{"a": 1e400}')
@example(b'{"a": -1e400}')
@example(b'{"a": 1E+999999999999}')
@example(b'{"\\ud800": 1}')
@example(b'{"a"\x00: 1}')
def test_an_accepted_document_survives_encoding(data: bytes) -> None:
    try:
        document = parse_json(data)
    except MalformedTrain:
        return
    assert parse_json(encode(document)) == document


@given(st.lists(st.sampled_from([*b'[]{}":,0\\au \n\xff'])).map(bytes))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    refusal = refusal_of(lambda: parse_json(data))
    assert refusal is None or refusal.code == "config-malformed"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1, "a": 1}', "has the key 'a' twice"),
        ('{"a": [{"b": 1, "b": 2}]}', "has the key 'b' twice"),
        ('{"a": NaN}', "holds NaN, which is not JSON"),
        ('{"a": 1e999}', "has a huge number"),
        ('{"a": 1' + "0" * 5000 + "}", "has a huge number"),
        (
            "{]",
            "is not JSON: expecting property name enclosed in double quotes at line 1, column 2",
        ),
        ("[]", "is not a JSON object"),
    ],
)
def test_a_reason_is_given(text: str, problem: str) -> None:
    with pytest.raises(MalformedTrain) as caught:
        parse_json(text.encode())
    assert caught.value.message == f"train_config.json {problem}"


def test_brackets_in_strings_do_not_count() -> None:
    deepest = "[" * (CONFIG_DEPTH - 1) + "]" * (CONFIG_DEPTH - 1)
    assert parse_json(f'{{"a": {deepest}, "b": "[[[{{", "c": "\\"[[["}}'.encode())
    with pytest.raises(MalformedTrain, match="nested deeper than 32 levels"):
        parse_json(f'{{"a": [{deepest}]}}'.encode())


def test_time_is_linear_in_the_number_of_keys() -> None:
    # Quadratic time would be an hour.
    members = ",".join(f'"{number}":0' for number in range(300_000))
    with pytest.raises(MalformedTrain, match="has the key '299999' twice"):
        parse_json(f'{{{members},"299999":0}}'.encode())


# --- the flat generation -------------------------------------------------------------------------


@pytest.mark.parametrize("stage", range(len(STAGES)), ids=STAGES)
def test_the_fields_of_the_vectors(stage: int) -> None:
    document = vector(stage)
    config = model(document)
    assert config.generation == "flat"
    assert (config.train_id, config.user_id) == (document["train_id"], document["user_id"])
    assert config.session_id.hex() == document["session_id"]
    assert list(config.stations) == list(document["rsa_public_keys"])
    for station, key in config.stations.items():
        assert same_key(key, load_public_key(reference.vector_key(station)))
    assert "a/b.txt" in config.files
    assert "query.json" not in config.files
    assert config.has_query(VECTORS)
    assert [visit.station for visit in config.visits] == list(STATIONS[:stage])
    assert (config.result_hash is None) == (config.user_envelope is None) == (stage == 0)
    config.verify_definition_signatures()
    config.verify_chain()
    config.verify_result_signature()


@pytest.mark.parametrize("stage", range(len(STAGES)), ids=STAGES)
def test_the_next_digest_follows_from_the_last_signature(stage: int) -> None:
    config = model(vector(stage))
    last = config.visits[-1].signature if stage else config.session_id
    assert config.next_digest(bytes(64)) == hashlib.sha512(last).digest()


def sealing(envelopes: dict[str, bytes]) -> Seal:
    """Return the values that a visit of station_2 adds."""
    return Seal(
        result_hash=b"h" * 64,
        result_signature=b"rs",
        visit=Visit(station="station_2", signature=b"vs", digest=b"vd"),
        envelopes=envelopes,
        user_envelope=b"ue",
    )


def test_sealing_changes_only_the_fields_of_a_visit() -> None:
    document = {**vector(1), "later": {"version": [1]}}
    seal = sealing({"a": b"e"})
    sealed = model(document).sealed(seal)
    assert sealed == {
        **document,
        "encrypted_key": {"a": b"e".hex()},
        "e_d": (b"h" * 64).hex(),
        "e_d_sig": b"rs".hex(),
        "digital_signature": [
            *document["digital_signature"],
            {"station": "station_2", "sig": [b"vs".hex(), b"vd".hex()]},
        ],
        "user_encrypted_sym_key": b"ue".hex(),
    }
    assert list(sealed) == list(document)


def test_a_new_document_has_the_published_fields_in_their_order() -> None:
    draft = Draft(
        train_id="t",
        user_id="u",
        proposal_id="p",
        master_image="m",
        session_id=bytes(64),
        stations={"s": KEY.public_key()},
        file_list=["a"],
        definition_hash=bytes(64),
        paillier_key=None,
    )
    document, key = new_train("flat", draft, KEY, None)
    assert key is None
    assert set(document) == {*vector(0), "master_image"}
    assert model(document).visits == ()


def test_numbers_as_ids() -> None:
    config = model({**vector(0), "user_id": 7, "train_id": -1})
    assert (config.user_id, config.train_id) == ("7", "-1")


PATHS = st.sampled_from([(name,) for name in vector(2)]).map(tuple) | st.sampled_from(
    [
        ("digital_signature", 0),
        ("digital_signature", 1, "sig"),
        ("digital_signature", 1, "sig", 0),
        ("digital_signature", 0, "station"),
        ("encrypted_key", "station_1"),
        ("rsa_public_keys", "station_2"),
        ("immutable_file_list", 0),
    ]
)


@given(st.lists(st.tuples(PATHS, VALUES), min_size=1, max_size=3))
def test_any_value_of_any_field_is_read_or_refused(
    changes: list[tuple[tuple[str | int, ...], Any]],
) -> None:
    document = vector(2)
    for path, value in changes:
        change(document, path, value)
    refusal = refusal_of(lambda: read(encode(document)))
    if refusal is not None:
        assert refusal.code in ("config-malformed", "first-stop-contradiction")
        assert len(refusal.problems) <= LISTED_PROBLEMS


# --- the route generation ------------------------------------------------------------------------


def route_vector(stage: int) -> Config:
    return reference.load_config(reference_route.VECTORS / STAGES[stage])


def route_model(document: Config) -> RouteConfig:
    config = read(encode(document))
    assert isinstance(config, RouteConfig)
    return config


@pytest.mark.parametrize("stage", range(len(STAGES)), ids=STAGES)
def test_the_fields_of_the_vectors_with_a_route(stage: int) -> None:
    document = route_vector(stage)
    config = route_model(document)
    assert (config.generation, config.encrypts_definition) == ("route", True)
    assert (config.train_id, config.user_id) == (document["@id"], document["creator"]["id"])
    assert config.session_id.hex() == document["session_id"]
    assert tuple(config.stations) == STATIONS
    assert "a/b.txt" in config.files
    assert "query.json" not in config.files
    assert [visit.station for visit in config.visits] == list(STATIONS[:stage])
    assert [config.awaits(station) for station in STATIONS] == [
        number == stage for number in range(3)
    ]
    assert (config.envelope("station_2") is None) == (stage == 0)
    assert config.envelope("station_1") is not None
    config.verify_definition_signatures()
    config.verify_chain()
    config.verify_result_signature()


@pytest.mark.parametrize("stage", range(3), ids=STAGES[:3])
def test_the_next_digest_covers_all_earlier_ones_and_the_result_hash(stage: int) -> None:
    after = route_model(route_vector(stage + 1))
    assert after.result_hash is not None
    digest = route_model(route_vector(stage)).next_digest(after.result_hash)
    assert digest == after.visits[-1].digest


def test_sealing_a_route_changes_only_the_fields_of_a_visit() -> None:
    document = {**route_vector(1), "later": {"version": [1]}}
    envelopes = {station: station.encode() for station in STATIONS}
    seal = sealing(envelopes)
    sealed = route_model(document).sealed(seal)
    route = [
        {**stop, "encrypted_key": stop["station"].encode().hex()} for stop in document["route"]
    ]
    route[1]["signature"] = {"digest": b"vd".hex(), "signature": b"vs".hex()}
    assert sealed == {
        **document,
        "creator": {**document["creator"], "encrypted_key": b"ue".hex()},
        "route": route,
        "result_hash": (b"h" * 64).hex(),
        "result_signature": b"rs".hex(),
    }
    assert list(sealed) == list(document)


ROUTE_PATHS = st.sampled_from([(name,) for name in route_vector(2)]).map(tuple) | st.sampled_from(
    [
        ("creator", "encrypted_key"),
        ("creator", "id"),
        ("build", "rsa_public_key"),
        ("route", 0),
        ("route", 1, "signature"),
        ("route", 1, "signature", "digest"),
        ("route", 2, "index"),
        ("route", 2, "station"),
        ("route", 2, "encrypted_key"),
        ("file_list", 0),
    ]
)


@given(st.lists(st.tuples(ROUTE_PATHS, VALUES), min_size=1, max_size=3))
def test_any_value_of_any_field_of_a_route_is_read_or_refused(
    changes: list[tuple[tuple[str | int, ...], Any]],
) -> None:
    document = route_vector(2)
    for path, value in changes:
        change(document, path, value)
    refusal = refusal_of(lambda: read(encode(document)))
    if refusal is not None:
        assert refusal.code in (
            "config-malformed",
            "first-stop-contradiction",
            "stop-passed-over",
            "envelope-missing",
        )
        assert len(refusal.problems) <= LISTED_PROBLEMS


# --- how problems are told -----------------------------------------------------------------------


def test_the_number_of_listed_problems_is_limited() -> None:
    document = {**vector(0), "immutable_file_list": ["/"] * 1000}
    with pytest.raises(MalformedTrain) as caught:
        read(encode(document))
    assert len(caught.value.problems) == LISTED_PROBLEMS
    assert "more than 20 bad fields" in caught.value.message


def test_a_problem_names_its_field_and_no_value() -> None:
    document = {**vector(2), "e_h": "secret", "user_id": ["secret"], "session_id": "736563726574"}
    with pytest.raises(MalformedTrain) as caught:
        read(json.dumps(document).encode())
    assert caught.value.problems == (
        "user_id is not a text or a whole number",
        "session_id has 6 bytes, not 64",
        "e_h is not lower-case hex",
    )

"""The independent reading in tests/reference_route.py agrees with trains of the published 2.0."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference_route as reference
from tests.reference import QUERY, STAGES, STATIONS, Config, ResultFile, load_config, result_files
from tests.reference_route import BUILDER, VECTORS
from tests.reference_rsa import Refused
from tests.vectors.recorded import flip_digit, listing, recorded, shape, without_modes

every_stage = pytest.mark.parametrize("stage", range(len(STAGES)), ids=STAGES)
every_sealed_stage = pytest.mark.parametrize("stage", range(1, len(STAGES)), ids=STAGES[1:])

USER_KEY = reference.vector_key("user", private=True)
BUILDER_KEY = reference.vector_key(BUILDER, private=True)
STATION_KEYS = {name: reference.vector_key(name, private=True) for name in STATIONS}


def recorded_definition() -> reference.Files:
    """Return the plaintext of the definition in the order of the list, the query at the end."""
    names = [*reference.listed(config_of(0)), QUERY]
    return {name: (VECTORS / "train" / name).read_bytes() for name in names}


def plaintext(stage: int, folder: Path) -> dict[str, ResultFile]:
    return result_files(reference.lay_out_plain(stage, folder))


def config_of(stage: int) -> Config:
    return load_config(VECTORS / STAGES[stage])


# --- agreement -----------------------------------------------------------------------------------


@every_sealed_stage
def test_results_are_walked_in_the_recorded_order(stage: int, tmp_path: Path) -> None:
    results = reference.lay_out_plain(stage, tmp_path)

    assert listing(results) == recorded(VECTORS / STAGES[stage] / "hash_order.txt")


@every_stage
def test_the_sealed_train_is_walked_in_the_recorded_order(stage: int) -> None:
    source = VECTORS / STAGES[stage]

    order = recorded(source / "train_tar_order.txt")
    assert without_modes(listing(source / "train_encrypted")) == without_modes(order)


@every_stage
def test_the_definition_is_what_user_and_builder_signed(stage: int) -> None:
    reference.verify_definition(config_of(stage), recorded_definition())


@every_stage
def test_every_visited_stop_has_signed_the_chain(stage: int) -> None:
    assert reference.verify_chain(config_of(stage)) == list(STATIONS[:stage])


def test_no_visit_changes_what_an_earlier_one_signed() -> None:
    first, second, third = (
        [stop["signature"] for stop in config_of(n)["route"]] for n in (1, 2, 3)
    )

    assert first == [third[0], None, None]
    assert second == [*third[:2], None]


@every_sealed_stage
@pytest.mark.parametrize("station", [None, *STATIONS])
def test_everyone_entitled_decrypts_the_plaintext(
    stage: int, station: str | None, tmp_path: Path
) -> None:
    opt = reference.lay_out(stage, tmp_path / "sealed")
    key = STATION_KEYS[station] if station else USER_KEY
    expected = plaintext(stage, tmp_path / "plain")

    recorded_key = (VECTORS / STAGES[stage] / "sym_key.plain").read_bytes()
    assert reference.symmetric_key(opt, key, station) == recorded_key
    assert reference.decrypt_definition(opt, key, station) == recorded_definition()
    decrypted = reference.decrypt_results(opt, key, station)
    assert decrypted == expected
    assert list(decrypted) == list(expected)


def test_as_built_only_the_first_station_has_the_key(tmp_path: Path) -> None:
    opt = reference.lay_out(0, tmp_path)
    config = load_config(opt)

    assert [stop["encrypted_key"] is None for stop in config["route"]] == [False, True, True]
    assert config["creator"]["encrypted_key"] is None
    assert (
        reference.decrypt_definition(opt, STATION_KEYS["station_1"], "station_1")
        == recorded_definition()
    )


@every_sealed_stage
def test_sealing_keeps_folders_links_and_modes(stage: int, tmp_path: Path) -> None:
    sealed = reference.lay_out(stage, tmp_path / "sealed") / "pht_results"
    plain = reference.lay_out_plain(stage, tmp_path / "plain")

    assert shape(sealed) == shape(plain)
    assert (sealed / "link_to_file").readlink() == (plain / "link_to_file").readlink()


@every_stage
def test_all_that_is_sealed_in_one_go_has_one_iv(stage: int, tmp_path: Path) -> None:
    opt = reference.lay_out(stage, tmp_path)

    for folder in (opt / "pht_train", opt / "pht_results"):
        files = result_files(folder)
        assert len({content[: reference.IV_BYTES] for content, _ in files.values()}) == bool(files)


# --- refusal -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a/b.txt", "empty.txt", QUERY])
def test_a_changed_definition_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="hash"):
        reference.verify_definition(config_of(0), recorded_definition() | {name: b"other"})


def test_a_missing_query_is_refused() -> None:
    files = recorded_definition()
    del files[QUERY]

    with pytest.raises(Refused, match="hash"):
        reference.verify_definition(config_of(0), files)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(signature=flip_digit(config["signature"])),
        lambda config: config["build"].update(signature=flip_digit(config["build"]["signature"])),
        lambda config: config["build"].update(rsa_public_key=config["creator"]["rsa_public_key"]),
        lambda config: config["creator"].update(rsa_public_key=config["build"]["rsa_public_key"]),
        lambda config: config["creator"].update(id="another"),
        lambda config: config["file_list"].reverse(),
        lambda config: config["file_list"].append("./a.txt"),
        lambda config: config["file_list"].append(QUERY),
    ],
    ids=[
        *("the user's signature", "the builder's signature", "the builder's key"),
        *("the user's key", "the user's id", "order", "a file twice", "the query listed"),
    ],
)
def test_what_user_and_builder_did_not_sign_is_refused(
    change: Callable[[Config], object],
) -> None:
    config = config_of(0)
    change(config)

    with pytest.raises(Refused):
        reference.verify_definition(config, recorded_definition())


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["route"][0].update(signature=None),
        lambda config: config["route"][2].update(signature=config["route"][1]["signature"]),
        lambda config: config["route"][2]["signature"].update(
            digest=flip_digit(config["route"][2]["signature"]["digest"])
        ),
        lambda config: config["route"][0]["signature"].update(
            signature=flip_digit(config["route"][0]["signature"]["signature"])
        ),
        lambda config: config["route"][1].update(index=0),
        lambda config: config["route"][2].update(index=3),
        lambda config: config["route"][1].update(station="station_1"),
        lambda config: config.update(result_hash=flip_digit(config["result_hash"])),
        lambda config: config.update(result_hash=None),
        lambda config: config.update(result_signature=None),
    ],
    ids=[
        *("a stop left out", "the signature of another stop", "digest", "signature"),
        *("an index twice", "a gap", "a station twice"),
        *("other results", "no result hash", "no result signature"),
    ],
)
def test_a_changed_chain_is_refused(change: Callable[[Config], object]) -> None:
    config = config_of(3)
    change(config)

    with pytest.raises(Refused):
        reference.verify_chain(config)


def test_changed_results_are_refused(tmp_path: Path) -> None:
    contents = [content for content, _ in plaintext(3, tmp_path).values()]

    with pytest.raises(Refused, match="result_hash"):
        reference.verify_results(config_of(3), [*contents, b"more"])


def test_results_under_the_signature_of_another_hash_are_refused(tmp_path: Path) -> None:
    contents = [content for content, _ in plaintext(3, tmp_path).values()]
    config = config_of(3)
    config["result_signature"] = config_of(2)["result_signature"]

    with pytest.raises(Refused, match="signature"):
        reference.verify_results(config, contents)


@pytest.mark.parametrize("damage", [b"", b"short", b"i" * 16, b"i" * 40, b"i" * 32])
def test_a_file_that_was_not_sealed_is_refused(damage: bytes) -> None:
    with pytest.raises(Refused, match="file"):
        reference.decrypt(bytes(32), damage)


def test_the_key_of_another_station_is_refused(tmp_path: Path) -> None:
    opt = reference.lay_out(1, tmp_path)

    with pytest.raises(Refused, match="envelope"):
        reference.decrypt_results(opt, STATION_KEYS["station_1"], "station_2")
    with pytest.raises(Refused, match="route"):
        reference.decrypt_results(opt, STATION_KEYS["station_1"], "station_4")


# --- writing -------------------------------------------------------------------------------------


def test_the_vectors_are_built_again_alike(tmp_path: Path) -> None:
    published = config_of(0)
    stations = {name: reference.vector_key(name) for name in STATIONS}
    given = ("source", "creator", "proposal_id", "@id", "@context", "session_id", "file_list")

    opt = reference.build_initial(
        tmp_path,
        recorded_definition(),
        USER_KEY,
        BUILDER_KEY,
        stations,
        **{name: published[name] for name in given},
    )

    built = load_config(opt)
    assert (
        reference.decrypt_definition(opt, STATION_KEYS["station_1"], "station_1")
        == recorded_definition()
    )
    for config in (built, published):
        del config["route"][0]["encrypted_key"]  # OAEP is random, and so is what it holds
    assert json.dumps(built) == json.dumps(published)  # also in the order of fields


def test_published_visits_follow_one_another(tmp_path: Path) -> None:
    keys = {name: reference.vector_key(name) for name in STATIONS}
    files = {"./train.py": b"pass\n", QUERY: b"{}"}
    opt = reference.build_initial(tmp_path, files, USER_KEY, BUILDER_KEY, keys)
    results = opt / "pht_results"
    content = b""

    for station, key in STATION_KEYS.items():
        reference.published_pre_run(opt, station, key)
        assert (opt / "pht_train" / "train.py").read_bytes() == b"pass\n"
        assert (opt / "pht_train" / QUERY).read_bytes() == b"{}"
        assert not content or (results / "state").read_bytes() == content
        content += os.urandom(20)
        (results / "state").write_bytes(content)
        (results / "state").chmod(0o640)
        reference.published_post_run(opt, station, key)
        assert reference.decrypt_results(opt, USER_KEY) == {"state": ResultFile(content, 0o640)}

    assert reference.decrypt_definition(opt, USER_KEY) == {"train.py": b"pass\n", QUERY: b"{}"}
    assert reference.verify_chain(load_config(opt)) == list(STATIONS)


def test_ids_that_look_like_numbers_are_found_however_they_are_written(tmp_path: Path) -> None:
    config = config_of(3)
    config["route"][1]["station"] = 7

    assert reference.stop_of(config, "7") is config["route"][1]
    assert reference.verify_chain(config) == ["station_1", "7", "station_3"]

"""The independent reading in tests/reference.py agrees with the trains of the published package."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference
from tests.reference import STAGES, STATIONS, VECTORS, Config, ResultFile
from tests.reference_rsa import Refused
from tests.vectors.recorded import flip_digit, listing, recorded, shape, without_modes

every_stage = pytest.mark.parametrize("stage", range(len(STAGES)), ids=STAGES)
every_sealed_stage = pytest.mark.parametrize("stage", range(1, len(STAGES)), ids=STAGES[1:])


def plaintext(stage: int, folder: Path) -> dict[str, ResultFile]:
    return reference.result_files(reference.lay_out_plain(stage, folder))


def config_of(stage: int) -> Config:
    return reference.load_config(VECTORS / STAGES[stage])


# --- agreement -----------------------------------------------------------------------------------


@every_sealed_stage
def test_results_are_walked_in_the_recorded_order(stage: int, tmp_path: Path) -> None:
    results = reference.lay_out_plain(stage, tmp_path)

    assert listing(results) == recorded(VECTORS / STAGES[stage] / "hash_order.txt")


def test_the_train_is_walked_in_the_recorded_order() -> None:
    order = recorded(VECTORS / STAGES[0] / "train_tar_order.txt")

    assert without_modes(listing(VECTORS / "train")) == without_modes(order)


@every_stage
def test_the_definition_is_what_the_user_signed(stage: int) -> None:
    reference.verify_definition(config_of(stage), VECTORS / "train")


@every_stage
def test_the_chain_has_one_link_per_visit(stage: int) -> None:
    assert reference.verify_chain(config_of(stage)) == list(STATIONS[:stage])


@every_sealed_stage
def test_the_results_are_what_the_last_station_signed(stage: int, tmp_path: Path) -> None:
    contents = (content for content, _ in plaintext(stage, tmp_path).values())

    reference.verify_results(config_of(stage), contents)


@every_sealed_stage
@pytest.mark.parametrize("station", [None, *STATIONS])
def test_everyone_entitled_decrypts_the_plaintext(
    stage: int, station: str | None, tmp_path: Path
) -> None:
    opt = reference.lay_out(stage, tmp_path / "sealed")
    key = reference.vector_key(station or "user", private=True)
    expected = plaintext(stage, tmp_path / "plain")

    assert (
        reference.symmetric_key(opt, key, station)
        == (VECTORS / STAGES[stage] / "sym_key.plain").read_bytes()
    )
    decrypted = reference.decrypt_results(opt, key, station)
    assert decrypted == expected
    assert list(decrypted) == list(expected)


@every_sealed_stage
def test_sealing_keeps_folders_links_and_modes(stage: int, tmp_path: Path) -> None:
    sealed = reference.lay_out(stage, tmp_path / "sealed") / "pht_results"
    plain = reference.lay_out_plain(stage, tmp_path / "plain")

    assert shape(sealed) == shape(plain)
    assert (sealed / "link_to_file").readlink() == (plain / "link_to_file").readlink()


# --- refusal -------------------------------------------------------------------------------------


def test_a_changed_train_file_is_refused(tmp_path: Path) -> None:
    opt = reference.lay_out(0, tmp_path)
    (opt / "pht_train" / "a" / "b.txt").write_bytes(b"other")

    with pytest.raises(Refused, match="e_h"):
        reference.verify_definition(reference.load_config(opt), opt / "pht_train")


def test_a_changed_user_signature_is_refused() -> None:
    config = config_of(0)
    config["e_h_sig"] = flip_digit(config["e_h_sig"])

    with pytest.raises(Refused, match="signature"):
        reference.verify_definition(config, VECTORS / "train")


@pytest.mark.parametrize(
    "change",
    [
        lambda chain: chain.reverse(),
        lambda chain: chain.pop(1),
        lambda chain: chain[0]["sig"].__setitem__(1, flip_digit(chain[0]["sig"][1])),
        lambda chain: chain[2]["sig"].__setitem__(0, flip_digit(chain[2]["sig"][0])),
        lambda chain: chain[1].__setitem__("station", "station_1"),
    ],
    ids=["reversed", "a link missing", "digest", "signature", "another station"],
)
def test_a_changed_chain_is_refused(change: Callable[[object], object]) -> None:
    config = config_of(3)
    change(config["digital_signature"])

    with pytest.raises(Refused):
        reference.verify_chain(config)


def test_changed_results_are_refused(tmp_path: Path) -> None:
    contents = [content for content, _ in plaintext(3, tmp_path).values()]

    with pytest.raises(Refused, match="e_d"):
        reference.verify_results(config_of(3), [*contents, b"more"])


def test_a_changed_token_is_refused(tmp_path: Path) -> None:
    opt = reference.lay_out(2, tmp_path)
    token = opt / "pht_results" / "counter"
    token.write_bytes(token.read_bytes().replace(b"gAAAAA", b"gAAAAB", 1))

    with pytest.raises(Refused, match="token"):
        reference.decrypt_results(opt, reference.vector_key("user", private=True))


def test_the_key_of_another_station_is_refused(tmp_path: Path) -> None:
    opt = reference.lay_out(1, tmp_path)

    with pytest.raises(Refused, match="envelope"):
        reference.decrypt_results(opt, reference.vector_key("station_1", private=True), "station_2")


# --- writing -------------------------------------------------------------------------------------


def test_the_vectors_are_built_again_with_the_same_hash(tmp_path: Path) -> None:
    published = config_of(0)
    names = [name.removeprefix("./") for name in published["immutable_file_list"]]

    opt = reference.build_initial(
        tmp_path,
        {name: (VECTORS / "train" / name).read_bytes() for name in names},
        reference.vector_key("user", private=True),
        {station: reference.vector_key(station) for station in STATIONS},
        **{name: value for name, value in published.items() if not name.startswith("e_h")},
    )

    built = reference.load_config(opt)
    reference.verify_definition(built, opt / "pht_train")
    for config in (built, published):
        del config["e_h_sig"]  # PSS is salted
    assert built.pop("master_image") == "python:slim"  # the published build leaves it out
    assert built == published


def test_published_visits_follow_one_another(tmp_path: Path) -> None:
    keys = {station: reference.vector_key(station) for station in STATIONS}
    user_key = reference.vector_key("user", private=True)
    opt = reference.build_initial(tmp_path, {"train.py": b"pass\n"}, user_key, keys)
    results = opt / "pht_results"
    content = b""

    for station in STATIONS:
        content += os.urandom(20)
        (results / "state").write_bytes(content)
        (results / "state").chmod(0o640)
        reference.published_post_run(opt, station, reference.vector_key(station, private=True))
        assert reference.decrypt_results(opt, user_key) == {"state": ResultFile(content, 0o640)}

    config = reference.load_config(opt)
    reference.verify_definition(config, opt / "pht_train")
    assert reference.verify_chain(config) == list(STATIONS)
    assert config.keys() == config_of(3).keys() | {"master_image"}
    assert (opt / "train_config.json").read_text() == json.dumps(config)


def test_of_two_names_of_one_file_only_the_first_is_hashed(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"once")
    (tmp_path / "a").hardlink_to(tmp_path / "b")

    assert list(reference.result_files(tmp_path)) == ["a"]

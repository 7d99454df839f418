"""Building a train of the route generation: encrypted for the first stop, signed by a builder."""

import json
import stat
from pathlib import Path

from entrypoint.errors import UsageError
from tests import reference, reference_route
from tests.station import pht
from tests.unit.creating import (
    BUILDER_KEY,
    FILES,
    IN_ORDER,
    USER_KEY,
    assert_not_built,
    build_train,
    command,
    first_reader,
)


def build_route(train: Path, output: Path) -> str:
    return build_train(train, output, generation="route", builder_key=BUILDER_KEY)


def test_an_independent_reader_accepts_a_train_with_a_route(train: Path, output: Path) -> None:
    said = build_route(train, output)
    files = first_reader(output / "opt")
    assert {name: content.decode() for name, content in files.items()} == FILES
    config = reference.load_config(output / "opt")
    assert reference_route.verify_chain(config) == []
    assert config["file_list"] == [name for name in IN_ORDER if name != "query.json"]
    assert "5 files, signed by user user-1" in said


def test_a_train_with_a_route_looks_like_the_published_ones(train: Path, output: Path) -> None:
    build_route(train, output)
    data = (output / "opt" / "train_config.json").read_bytes()
    config = json.loads(data)
    published = reference.load_config(reference_route.VECTORS / "stage0-initial")
    assert data == json.dumps(config, indent=2).encode()
    assert list(config) == list(published)
    for name in ("source", "creator", "build"):
        assert list(config[name]) == list(published[name])
    assert [list(stop) for stop in config["route"]] == [list(stop) for stop in published["route"]]
    assert [stop["encrypted_key"] is None for stop in config["route"]] == [False, True, True]
    assert [stop["station"] for stop in config["route"]] == list(reference.STATIONS)
    assert config["source"]["type"] == published["source"]["type"]
    assert (config["creator"]["id"], config["@id"]) == ("user-1", "train-1")


def test_files_of_a_train_with_a_route_are_encrypted_each_with_an_iv_of_its_own(
    train: Path, output: Path
) -> None:
    (train / "run.py").chmod(0o750)
    build_route(train, output)
    folder = output / "opt" / "pht_train"
    sealed = [(folder / name).read_bytes() for name in FILES]
    assert len({content[:16] for content in sealed}) == len(FILES)
    assert not any(plain.encode() in content for content in sealed for plain in ("print", "twö"))
    assert stat.S_IMODE((folder / "run.py").stat().st_mode) == 0o750


def test_a_train_with_a_route_needs_a_builder(train: Path, output: Path) -> None:
    assert_not_built(UsageError, "builder-key-missing", train, output, generation="route")


def test_a_flat_train_has_no_place_for_a_builder(train: Path, output: Path) -> None:
    assert_not_built(UsageError, "builder-key-unused", train, output, builder_key=BUILDER_KEY)


def test_trains_have_a_route_unless_their_author_says_otherwise(train: Path, output: Path) -> None:
    words = [word for word in command(train, output, USER_KEY) if word != "flat"]
    words.remove("--generation")
    assert pht(*words).code == "builder-key-missing"
    assert pht(*words, "--builder-key", BUILDER_KEY).status == 0
    assert len(first_reader(output / "opt")) == len(FILES)


def test_the_builders_key_may_have_a_password(
    train: Path, output: Path, locked: Path, tmp_path: Path
) -> None:
    (tmp_path / "password").write_bytes(b"secret\n")
    password = tmp_path / "password"
    build_train(
        train, output, generation="route", builder_key=locked, builder_password_file=password
    )
    assert len(first_reader(output / "opt")) == len(FILES)

"""Building a train that adds encrypted numbers: where it carries the user's Paillier key."""

import json
from pathlib import Path

import pytest

from entrypoint.errors import SettingsError, UsageError
from tests import reference
from tests.reference_paillier import PRIVATE, PUBLIC, SIMPLE, N, write_key
from tests.station import pht
from tests.unit.creating import BUILDER_KEY, USER_KEY, assert_not_built, build_train, command


def test_a_train_with_a_route_carries_the_whole_key(
    train: Path, output: Path, tmp_path: Path
) -> None:
    key = write_key(tmp_path / "key", PUBLIC)
    said = build_train(train, output, generation="route", builder_key=BUILDER_KEY, paillier_key=key)
    field = reference.load_config(output / "opt")["creator"]["paillier_public_key"]
    assert field == key.read_bytes().hex()
    assert "warning: the Paillier key" in said


def test_a_flat_train_carries_the_modulus(train: Path, output: Path, tmp_path: Path) -> None:
    build_train(train, output, paillier_key=write_key(tmp_path / "key", SIMPLE))
    assert reference.load_config(output / "opt")["user_he_key"] == str(N)


def test_a_flat_train_cannot_carry_another_g(train: Path, output: Path, tmp_path: Path) -> None:
    key = write_key(tmp_path / "key", PUBLIC)
    assert_not_built(UsageError, "paillier-key-unsuitable", train, output, paillier_key=key)


def test_a_private_key_never_gets_into_a_train(train: Path, output: Path, tmp_path: Path) -> None:
    key = write_key(tmp_path / "key", {**PRIVATE, "publicKey": PUBLIC})
    assert_not_built(SettingsError, "paillier-key-unusable", train, output, paillier_key=key)


@pytest.mark.parametrize("by_option", [True, False], ids=["option", "project file"])
def test_the_command_takes_the_key(
    by_option: bool, train: Path, output: Path, tmp_path: Path
) -> None:
    key = write_key(tmp_path / "key", SIMPLE)
    if not by_option:
        (tmp_path / "pht.toml").write_text('paillier-key = "key"')
    option: list[str | Path] = ["--paillier-key", key] if by_option else []
    done = pht(*command(train, output, USER_KEY), *option)
    assert done.status == 0, done.stderr
    config = json.loads((output / "opt/train_config.json").read_text())
    assert config["user_he_key"] == SIMPLE["n"]

"""The keys of a new train: the stations' public ones, and the private ones that sign it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.errors import MissingInput, PhtError, SettingsError
from tests import reference
from tests.desk import pht_on_terminal
from tests.station import pht
from tests.unit.creating import KEYS, USER_KEY, assert_not_built, build_train, command

NO_PASSWORD: list[list[str]] = [[], ["--password-file", os.devnull]]


@pytest.mark.parametrize(
    ("damage", "error", "code"),
    [
        (
            lambda path: path.write_bytes(USER_KEY.read_bytes()),
            SettingsError,
            "public-key-unusable",
        ),
        (lambda path: path.write_text("no key"), SettingsError, "public-key-unusable"),
        (lambda path: None, MissingInput, "public-key-missing"),
    ],
    ids=["private", "nonsense", "missing"],
)
def test_a_bad_station_key_is_refused(
    train: Path,
    output: Path,
    tmp_path: Path,
    damage: Callable[[Path], object],
    error: type[PhtError],
    code: str,
) -> None:
    path = tmp_path / "station.pem"
    damage(path)
    assert_not_built(error, code, train, output, stations=[("station_1", path)])


def test_a_public_key_cannot_sign(train: Path, output: Path) -> None:
    error = assert_not_built(
        SettingsError, "private-key-unusable", train, output, user_key=KEYS / "user.pk.pem"
    )
    assert "is a public key" in error.message


def test_an_encrypted_key_is_opened_with_the_password_of_a_file(
    train: Path, output: Path, locked: Path, tmp_path: Path
) -> None:
    (tmp_path / "password").write_bytes(b"secret\n")
    build_train(train, output, user_key=locked, password_file=tmp_path / "password")
    config = reference.load_config(output / "opt")
    reference.verify_definition(config, output / "opt" / "pht_train")
    assert bytes.fromhex(config["rsa_user_public_key"]) == reference.vector_key("user")


def test_a_wrong_password_is_refused(
    train: Path, output: Path, locked: Path, tmp_path: Path
) -> None:
    (tmp_path / "password").write_bytes(b"wrong")
    assert_not_built(
        SettingsError,
        "private-key-unusable",
        train,
        output,
        user_key=locked,
        password_file=tmp_path / "password",
    )


@pytest.mark.parametrize("more", NO_PASSWORD, ids=["none given", "empty file"])
def test_the_password_is_asked_for_on_a_terminal(
    more: list[str], train: Path, output: Path, locked: Path
) -> None:
    status, shown = pht_on_terminal([*command(train, output, locked), *more], [b"secret"])
    assert status == 0
    assert "secret" not in shown
    opt = output / "opt"
    reference.verify_definition(reference.load_config(opt), opt / "pht_train")


@pytest.mark.parametrize("more", NO_PASSWORD, ids=["none given", "empty file"])
def test_without_a_terminal_the_password_has_to_be_in_a_file(
    more: list[str], train: Path, output: Path, locked: Path
) -> None:
    done = pht(*command(train, output, locked), *more)
    assert (done.status, done.code) == (64, "password-needed")
    assert "--password-file" in done.stderr
    assert not output.exists()

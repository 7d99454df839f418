"""`station.env` as people write it: read as Docker reads it, or refused with the reason."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.errors import SettingsError
from entrypoint.settings.load import load
from entrypoint.settings.private_key import load_station_key
from entrypoint.settings.settings import Settings
from entrypoint.settings.station_env import parse
from tests import reference
from tests.unit.settings_errors import settings_error

FILE = Path("station.env")


@pytest.fixture
def load_file(tmp_path: Path) -> Callable[[bytes], Settings]:
    """Write the file and load the settings."""

    def write_and_load(data: bytes) -> Settings:
        (tmp_path / "run" / "pht").mkdir(parents=True)
        (tmp_path / "run" / "pht" / "station.env").write_bytes(data)
        return load(tmp_path, {})

    return write_and_load


def test_a_byte_order_mark_and_blanks_in_front_do_not_count() -> None:
    data = b"\xef\xbb\xbfSTATION_ID=ward\r\n  \t# a comment\n \tA=1\n\xc2\xa0B=2\n"
    assert parse(FILE, data) == {"STATION_ID": "ward", "A": "1", "B": "2"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_another_encoding_is_named(encoding: str) -> None:
    data = "STATION_ID=ward\n".encode(encoding)
    error = settings_error("station-env-malformed", lambda: parse(FILE, data))
    assert error.message == "station.env is text in UTF-16, as Windows writes it"
    assert "iconv" in error.hint


@pytest.mark.parametrize("first", ["A=1", "A=2"])
def test_a_repeated_name_is_refused(first: str) -> None:
    error = settings_error("station-env-malformed", lambda: parse(FILE, f"{first}\nA=1\n".encode()))
    assert error.message == "line 2 of station.env sets a name a second time"


SETTINGS = {
    "STATION_ID": "ward",
    "TRAIN_DATA_PATH": "/opt/train_data/rows.csv",
    "RSA_STATION_PRIVATE_KEY_FILE": "/keys/ward.pem",
    "PRIVATE_KEY_PATH": "/keys/ward.pem",
    "PRIVATE_KEY_PASSWORD_FILE": "/keys/password",
    "PHT_TIMEOUT": "3600",
    "PHT_LOG": "json",
    "PHT_EXPORT": "/out/train.tar",
    "PHT_HOST_PROTOCOL": "1",
    "PHT_COMMAND": "any",
}
AROUND = {
    "quotes": ['"{}"', "'{}'"],
    "blanks at its beginning or end": [" {}", "{} ", "{}\t", "{}\u00a0"],
    "a comment after it": ["{} # ours", "{}\t#"],
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(
    ("around", "form"), [(around, form) for around, forms in AROUND.items() for form in forms]
)
def test_decoration_of_a_setting_is_named(
    around: str, form: str, name: str, load_file: Callable[[bytes], Settings]
) -> None:
    line = f"{name}={form.format(SETTINGS[name])}\n"
    if around.startswith("a comment") and name in {"STATION_ID", "TRAIN_DATA_PATH"}:
        assert load_file(line.encode()).values[name] == line.partition("=")[2].rstrip("\n")
        return
    error = settings_error("setting-malformed", lambda: load_file(line.encode()))
    assert error.message == (
        f"{name}, in station.env, has {around}, which would be a part of its value"
    )
    assert SETTINGS[name] not in error.message + error.hint


@pytest.mark.parametrize("name", ["RSA_STATION_PRIVATE_KEY", "RSA_STATON_PRIVATE_KEY"])
@pytest.mark.parametrize(
    ("form", "around"),
    [('"{}"', "quotes"), (" '{}' ", "quotes"), ("{} # ours", "a comment after it")],
)
def test_decoration_of_the_hex_of_a_key_is_named(
    form: str, around: str, name: str, tmp_path: Path
) -> None:
    environment = {name: form.format("2d2d2d2d2d42")}
    error = settings_error("setting-malformed", lambda: load(tmp_path, environment))
    assert error.message.startswith(f"{name}, in the environment, has {around}, ")
    assert "2d2d" not in error.message + error.hint


def test_blanks_around_the_hex_of_a_key_do_not_count(tmp_path: Path) -> None:
    environment = {
        "RSA_STATION_PRIVATE_KEY": f" {reference.vector_key('user', private=True).hex()}\n"
    }
    assert load_station_key(load(tmp_path, environment).key_settings).key_size >= 2048


def test_decoration_in_the_environment_is_named(tmp_path: Path) -> None:
    """`docker run --env-file` puts it there."""
    environment = {"STATION_ID": '"ward"'}
    error = settings_error("setting-malformed", lambda: load(tmp_path, environment))
    assert error.message.startswith("STATION_ID, in the environment, has quotes")


def test_the_trains_own_variables_are_taken_as_they_are(
    load_file: Callable[[bytes], Settings],
) -> None:
    loaded = load_file(b'MODEL= "a" # b \n')
    assert loaded.values == {"MODEL": ' "a" # b '}


@given(st.binary() | st.text("AB=# \t\r\n\ufeff'\"\0").map(str.encode))
def test_any_file_is_parsed_or_refused(data: bytes) -> None:
    with suppress(SettingsError):
        values = parse(FILE, data)
        assert all(name.isidentifier() and "\n" not in value for name, value in values.items())


# --- the folder ----------------------------------------------------------------------------------


def test_folders_of_a_projected_volume_do_not_identify_a_station(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "pht"
    version = folder / "..2024_01_01_00_00_00.123"
    version.mkdir(parents=True)
    (folder / "..data").symlink_to(version.name)
    assert load(tmp_path, {}).identity() == []
    (version / "station.env").write_text("MODEL=a\n")
    (folder / "station.env").symlink_to("..data/station.env")
    loaded = load(tmp_path, {})
    assert (loaded.identity(), loaded.values) == ([], {"MODEL": "a"})
    (folder / "key").symlink_to("..data/key")
    assert load(tmp_path, {}).identity() == [str(folder / "key")]


def test_a_relative_root_gives_the_train_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = load(Path("built"), {}).train_environment()
    assert environment["PHT_RESULTS_DIR"] == str(tmp_path / "built" / "opt" / "pht_results")
    assert environment["PHT_TRAIN_DIR"] == str(tmp_path / "built" / "opt" / "pht_train")

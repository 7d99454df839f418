"""The settings of a station: where each may be set, and that nothing is guessed."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from entrypoint.errors import SettingsError
from entrypoint.settings import load as module
from entrypoint.settings.settings import Settings
from entrypoint.trust.anchors import NO_ANCHORS, Holder
from tests import reference
from tests.unit.settings_errors import settings_error

PEM = reference.vector_key("station_1", private=True)


def load(root: Path, environment: Mapping[str, str] | None = None) -> Settings:
    return module.load(root, environment or {})


def put(root: Path, path: str, data: bytes) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


# --- variables -----------------------------------------------------------------------------------


def test_the_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert (loaded.timeout, loaded.export) == (None, None)
    assert (loaded.log_json, loaded.any_command, loaded.in_container) == (False, False, False)
    assert not loaded.allow_unprotected_key
    assert loaded.anchors == NO_ANCHORS
    assert loaded.paths.config == tmp_path / "opt" / "train_config.json"
    settings_error("station-id-missing", loaded.station)


@pytest.mark.parametrize("folder", ["is missing", "is empty", "has a key"])
def test_a_missing_id_names_the_station_folder_if_that_is_empty(
    folder: str, tmp_path: Path
) -> None:
    station = tmp_path / "run" / "pht"
    if folder != "is missing":
        station.mkdir(parents=True)
    if folder == "has a key":
        put(tmp_path, "run/pht/private_key.pem", PEM)
    with pytest.raises(SettingsError) as raised:
        load(tmp_path).station()
    filled = folder == "has a key"
    assert (f"{station} is empty or not there" in raised.value.message) is not filled
    assert raised.value.hint.startswith(f"mount the station folder at {station}") is not filled
    assert "PHT_HOST_PROTOCOL=1" in raised.value.hint


@pytest.mark.parametrize("where", ["environment", "station.env"])
def test_every_setting(where: str, tmp_path: Path) -> None:
    lines = {
        "STATION_ID": "ward 7 = ü",
        "PHT_TIMEOUT": "3600",
        "PHT_LOG": "json",
        "PHT_EXPORT": "/out/train.tar",
        "PHT_COMMAND": "any",
        "PHT_ALLOW_UNPROTECTED_KEY": "1",
        "PHT_TRUST": "require",
    }
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    put(tmp_path, "run/pht/station.env", text.encode() if where == "station.env" else b"")

    loaded = load(tmp_path, lines if where == "environment" else {})

    assert loaded.station() == "ward 7 = ü"
    assert (loaded.timeout, loaded.log_json, loaded.any_command) == (3600.0, True, True)
    assert loaded.export == Path("/out/train.tar")
    assert loaded.allow_unprotected_key
    assert (loaded.anchors.own, loaded.anchors.required) == ("ward 7 = ü", True)


@pytest.mark.parametrize(
    "name", ["STATION_ID", "PHT_TIMEOUT", "PHT_LOG", "PHT_EXPORT", "PHT_COMMAND", "PHT_WHATEVER"]
)
def test_an_empty_setting_is_not_set(name: str, tmp_path: Path) -> None:
    put(tmp_path, "run/pht/station.env", b"PRIVATE_KEY_PATH=\n")
    loaded = load(tmp_path, {name: "", "RSA_STATION_PRIVATE_KEY": ""})
    assert loaded == load(tmp_path)
    settings_error("station-id-missing", loaded.station)
    assert loaded.key_settings.sources() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("PHT_TIMEOUT", value) for value in ("0", "-1", "1.5", "1h", "inf", "1e3", "٣")],
        ("PHT_TIMEOUT", "1" * 10),
        ("PHT_LOG", "JSON"),
        ("PHT_LOG", "yes"),
        ("PHT_COMMAND", "all"),
        ("PHT_COMMAND", "1"),
        *[("PHT_TRAIN_USER", value) for value in ("pht", "-1", "1:", ":1", "1:2:3", "1.5", "٣")],
        ("PHT_TRAIN_USER", "2147483648"),
        ("PHT_TRAIN_USER", "1:2147483648"),
        ("PHT_ALLOW_UNPROTECTED_KEY", "yes"),
        ("PHT_TRUST", "full"),
        ("PHT_REPLAY", "1"),
    ],
)
def test_a_malformed_value(name: str, value: str, tmp_path: Path) -> None:
    message = settings_error("setting-malformed", lambda: load(tmp_path, {name: value})).message
    assert message.startswith(f"{name} is ")


@pytest.mark.parametrize("name", ["PHT_COMMAND", "PHT_TRAIN_USER", "PHT_TRUST", "PHT_REPLAY"])
def test_an_image_cannot_choose_the_protection(name: str) -> None:
    error = settings_error("setting-not-trusted", lambda: module.load(None, {name: "0"}))
    assert error.message.startswith(name)


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("1000", (1000, 1000)),
        ("1000:100", (1000, 100)),
        ("0", (0, 0)),
        ("2147483647:0", (2147483647, 0)),
    ],
)
def test_the_user_of_the_train(text: str, user: tuple[int, int], tmp_path: Path) -> None:
    assert load(tmp_path, {"PHT_TRAIN_USER": text}).train_user == user


@pytest.mark.parametrize("name", ["PHT_TIMEOUTS", "PHT_", "PHT_STATION_ID", "PHT_Log", "PHT_ROOT"])
def test_an_unknown_setting(name: str, tmp_path: Path) -> None:
    assert name in settings_error("setting-unknown", lambda: load(tmp_path, {name: "1"})).message
    put(tmp_path, "run/pht/station.env", f"{name}=1\n".encode())
    assert name in settings_error("setting-unknown", lambda: load(tmp_path)).message


NOT_BUILT = ["PHT_NETWORK"]


@pytest.mark.parametrize("name", NOT_BUILT)
def test_a_setting_that_is_not_built_yet(name: str, tmp_path: Path) -> None:
    assert name in settings_error("setting-not-built", lambda: load(tmp_path, {name: "1"})).message


@pytest.mark.parametrize(
    "name",
    [
        "PHT_PORT",
        "PHT_PORT_80_TCP",
        "PHT_PORT_80_TCP_ADDR",
        "PHT_PORT_53_UDP_PORT",
        "PHT_SERVICE_HOST",
        "PHT_SERVICE_PORT",
        "PHT_SERVICE_PORT_HTTPS",
        "PHT_STATION_SERVICE_HOST",
        "PHT_NAME",
        "PHT_ENV_VERSION",
    ],
)
def test_service_links_of_an_engine_are_no_settings(name: str, tmp_path: Path) -> None:
    assert load(tmp_path, {name: "tcp://10.0.0.1:80"}).values == {name: "tcp://10.0.0.1:80"}


def test_other_variables_are_passed_on_unchecked(tmp_path: Path) -> None:
    others = {"pht_log": "x", "MY_PHT_LOG": "x", "PHTX": "x", "RSA_OTHER": "x", "EMPTY": ""}
    assert load(tmp_path, others).values == others


# --- station.env ---------------------------------------------------------------------------------


def test_the_lines_of_station_env(tmp_path: Path) -> None:
    put(
        tmp_path,
        "run/pht/station.env",
        b"# a comment\n\n   \nSTATION_ID=x\r\nA='quoted'\n_b2= spaces \nC=a=b#c\nD=\n"
        b"E=\xff\xe2\x80\xa8\x0c\nF=last",
    )
    assert load(tmp_path).values == {
        "STATION_ID": "x",
        "A": "'quoted'",
        "_b2": " spaces ",
        "C": "a=b#c",
        "D": "",
        "E": "\udcff\u2028\x0c",
        "F": "last",
    }


LINES = [
    "A",
    "=1",
    "A =1",
    "export A=1",
    "A-B=1",
    "1A=1",
    "\ufeffA=1",
    "A=\0",
    "Ä=1",
    "B=1",
]


@pytest.mark.parametrize("line", LINES, ids=repr)
def test_a_malformed_line(line: str, tmp_path: Path) -> None:
    file = put(tmp_path, "run/pht/station.env", f"B=secret\n{line}\n".encode())
    message = settings_error("station-env-malformed", lambda: load(tmp_path)).message
    assert f"line 2 of {file} " in message
    assert "secret" not in message


@pytest.mark.parametrize("name", ["station.env", "trust"])
def test_a_file_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "run" / "pht" / name
    path.mkdir(parents=True)
    message = settings_error("setting-unreadable", lambda: load(tmp_path)).message
    assert message == f"cannot read {path}: is a directory"


def test_environment_and_station_env_may_agree_but_not_differ(tmp_path: Path) -> None:
    put(tmp_path, "run/pht/station.env", b"STATION_ID=one\nMODEL=a\n")
    assert load(tmp_path, {"STATION_ID": "one", "MODEL": "a"}).station() == "one"
    message = settings_error("setting-twice", lambda: load(tmp_path, {"STATION_ID": "two"})).message
    assert "STATION_ID" in message
    assert "two" not in message
    settings_error("setting-twice", lambda: load(tmp_path, {"MODEL": "b"}))


@pytest.mark.parametrize(
    "name", ["RSA_STATION_PRIVATE_KEY", "RSA_STATON_PRIVATE_KEY", "PRIVATE_KEY_PASSWORD"]
)
def test_a_secret_in_station_env_is_refused(name: str, tmp_path: Path) -> None:
    put(tmp_path, "run/pht/station.env", f"STATION_ID=one\n{name}=secret\n".encode())
    message = settings_error("key-in-station-env", lambda: load(tmp_path)).message
    assert message.startswith(f"{name} is set in station.env")
    assert "secret" not in message


# --- other files of the station folder ------------------------------------------------------------


def test_keys_are_pinned_in_the_station_folder(tmp_path: Path) -> None:
    put(tmp_path, "run/pht/trust", f"user 4711 SHA256:{'a1' * 32}\n".encode())
    assert load(tmp_path).anchors.pins == {Holder("user", "4711"): {"a1" * 32}}


def test_what_a_station_knows_of_others_is_not_its_identity(tmp_path: Path) -> None:
    for name in ("station.env", "trust", "masters.json"):
        put(tmp_path, f"run/pht/{name}", b"")
    assert load(tmp_path).identity() == []


# --- what the train gets -------------------------------------------------------------------------

SECRETS = {
    "RSA_STATION_PRIVATE_KEY": PEM.hex(),
    "RSA_STATON_PRIVATE_KEY": PEM.hex(),
    "RSA_STATION_PRIVATE_KEY_FILE": "/key",
    "PRIVATE_KEY_PATH": "/key",
    "PRIVATE_KEY_PASSWORD": "the password",
    "PRIVATE_KEY_PASSWORD_FILE": "/password",
}


def test_the_train_gets_all_variables_but_those_of_the_key(tmp_path: Path) -> None:
    put(tmp_path, "run/pht/station.env", b"A=1\n")
    environment = load(tmp_path, {**SECRETS, "PATH": "/bin", "PHT_LOG": "text"}).train_environment()
    assert environment == {
        "LOGNAME": "pht-train",
        "USER": "pht-train",
        "A": "1",
        "PATH": "/bin",
        "PHT_LOG": "text",
        "PHT_TRAIN_DIR": str(tmp_path / "opt" / "pht_train"),
        "PHT_RESULTS_DIR": str(tmp_path / "opt" / "pht_results"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def test_no_representation_holds_a_secret(tmp_path: Path) -> None:
    settings = load(tmp_path, {**SECRETS, "MODEL": "other"})
    shown = repr(settings) + repr(settings.key_settings)
    assert [value for value in (*SECRETS.values(), "other") if value in shown] == []

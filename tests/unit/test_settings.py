"""What a station sets: where each thing may stand, and that nothing is guessed."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from entrypoint.crypto.keys import load_public_key, same_key
from entrypoint.errors import SettingsError
from entrypoint.settings import settings
from entrypoint.settings.settings import Settings
from tests import reference

PEM = reference.vector_key("station_1", private=True)
OTHER_PEM = reference.vector_key("station_2", private=True)
PUBLIC = load_public_key(reference.vector_key("station_1"))
KEY = serialization.load_pem_private_key(PEM, None)
PASSWORD = b"p \xc3\xa4ss=w\xf6rd"


def pkcs8(password: bytes | None = None) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


ENCRYPTED = pkcs8(PASSWORD)


def load(root: Path, environment: Mapping[str, str] | None = None) -> Settings:
    return settings.load(root, environment or {})


def put(root: Path, path: str, data: bytes) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def refused(code: str, action: Callable[[], object]) -> str:
    """Return the message of a refusal with this code."""
    with pytest.raises(SettingsError) as caught:
        action()
    assert caught.value.code == code
    assert caught.value.hint
    return caught.value.message


# --- the key -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pem", [PEM, pkcs8()], ids=["PKCS#1", "PKCS#8"])
@pytest.mark.parametrize("name", ["RSA_STATION_PRIVATE_KEY", "RSA_STATON_PRIVATE_KEY"])
def test_the_key_in_a_variable(name: str, pem: bytes, tmp_path: Path) -> None:
    for text in (pem.hex(), pem.hex().upper()):
        assert same_key(load(tmp_path, {name: text}).private_key().public_key(), PUBLIC)


@pytest.mark.parametrize("name", ["RSA_STATION_PRIVATE_KEY_FILE", "PRIVATE_KEY_PATH"])
def test_the_key_in_another_file(name: str, tmp_path: Path) -> None:
    file = put(tmp_path, "elsewhere/key.pem", PEM)
    key = load(tmp_path, {name: str(file)}).private_key()
    assert same_key(key.public_key(), PUBLIC)


@pytest.mark.parametrize("path", ["run/pht/private_key.pem", "run/secrets/rsa_station_private_key"])
def test_the_key_in_its_usual_place(path: str, tmp_path: Path) -> None:
    put(tmp_path, path, PEM)
    assert same_key(load(tmp_path).private_key().public_key(), PUBLIC)


def test_of_the_usual_places_the_station_folder_comes_first(tmp_path: Path) -> None:
    put(tmp_path, "run/pht/private_key.pem", PEM)
    put(tmp_path, "run/secrets/rsa_station_private_key", OTHER_PEM)
    assert same_key(load(tmp_path).private_key().public_key(), PUBLIC)


def test_the_same_file_named_twice_is_one_source(tmp_path: Path) -> None:
    file = str(put(tmp_path, "run/pht/private_key.pem", PEM))
    environment = {"RSA_STATION_PRIVATE_KEY_FILE": file, "PRIVATE_KEY_PATH": file}
    assert same_key(load(tmp_path, environment).private_key().public_key(), PUBLIC)


@pytest.mark.parametrize("name", ["private_key.pem", "private_key.password", "station.env"])
@pytest.mark.parametrize("kind", ["a folder", "a link to nowhere"])
def test_what_is_there_but_no_file_is_not_passed_over(kind: str, name: str, tmp_path: Path) -> None:
    put(tmp_path, "run/secrets/rsa_station_private_key", PEM)
    path = tmp_path / "run" / "pht" / name
    path.parent.mkdir()
    if kind == "a folder":  # as engines make of a mount whose source is missing
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    refused("setting-unreadable", lambda: load(tmp_path).private_key())


def test_no_key_at_all(tmp_path: Path) -> None:
    refused("private-key-missing", load(tmp_path).private_key)


TWO_KEYS: dict[str, Mapping[str, str]] = {
    "two spellings": {"RSA_STATION_PRIVATE_KEY": "00", "RSA_STATON_PRIVATE_KEY": "00"},
    "value and file": {"RSA_STATION_PRIVATE_KEY": "00", "RSA_STATION_PRIVATE_KEY_FILE": "/a"},
    "value and path": {"RSA_STATION_PRIVATE_KEY": "00", "PRIVATE_KEY_PATH": "/a"},
    "two files": {"RSA_STATION_PRIVATE_KEY_FILE": "/a", "PRIVATE_KEY_PATH": "/b"},
}


@pytest.mark.parametrize("environment", TWO_KEYS.values(), ids=TWO_KEYS.keys())
def test_two_keys(environment: Mapping[str, str], tmp_path: Path) -> None:
    refused("setting-twice", load(tmp_path, environment).private_key)


@pytest.mark.parametrize(
    "environment",
    [{"RSA_STATION_PRIVATE_KEY": PEM.hex()}, {"PRIVATE_KEY_PATH": "/a"}],
    ids=["value", "file"],
)
def test_a_key_set_beside_the_one_in_the_station_folder(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    file = put(tmp_path, "run/pht/private_key.pem", PEM)
    message = refused("setting-twice", load(tmp_path, environment).private_key)
    assert str(file) in message


def ec_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def small_key() -> bytes:
    return rsa.generate_private_key(65537, 1024).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


UNUSABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "no PEM": (lambda: b"not a key", "is not a valid private key in PEM"),
    "cut short": (lambda: PEM[:-100], "is not a valid private key in PEM"),
    "a public key": (
        lambda: reference.vector_key("station_1"),
        "is not a valid private key in PEM",
    ),
    "an elliptic curve": (ec_key, "is not an RSA key"),
    "1024 bits": (small_key, "has 1024 bits"),
    "encrypted": (lambda: ENCRYPTED, "is encrypted, and there is no password"),
}


@pytest.mark.parametrize(("pem", "problem"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_what_is_no_usable_key(pem: Callable[[], bytes], problem: str, tmp_path: Path) -> None:
    file = put(tmp_path, "run/pht/private_key.pem", pem())
    message = refused("private-key-unusable", load(tmp_path).private_key)
    assert message == f"the private key from {file} {problem}" + (
        ", not 2048 to 8192" if "1024" in problem else ""
    )


@pytest.mark.parametrize("text", ["xyz", "0", "0x00", PEM.decode()])
def test_a_key_that_is_not_hex(text: str, tmp_path: Path) -> None:
    environment = {"RSA_STATION_PRIVATE_KEY": text}
    message = refused("private-key-unusable", load(tmp_path, environment).private_key)
    assert message == "RSA_STATION_PRIVATE_KEY is not hex"


def test_key_files_that_cannot_be_read(tmp_path: Path) -> None:
    large = put(tmp_path, "large", bytes(1024 * 1024 + 1))
    for path in (tmp_path / "nowhere", tmp_path, large):
        environment = {"RSA_STATION_PRIVATE_KEY_FILE": str(path)}
        message = refused("setting-unreadable", load(tmp_path, environment).private_key)
        assert str(path) in message


# --- its password --------------------------------------------------------------------------------


@pytest.fixture
def encrypted(tmp_path: Path) -> Path:
    put(tmp_path, "run/pht/private_key.pem", ENCRYPTED)
    return tmp_path


def password(text: str) -> bytes:
    """Return the key, encrypted with the UTF-8 of a password."""
    return pkcs8(text.encode())


def test_the_password_in_a_variable(tmp_path: Path) -> None:
    put(tmp_path, "run/pht/private_key.pem", password(" ü=x "))
    key = load(tmp_path, {"PRIVATE_KEY_PASSWORD": " ü=x "}).private_key()
    assert same_key(key.public_key(), PUBLIC)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_password_in_a_file(end: bytes, encrypted: Path) -> None:
    file = put(encrypted, "elsewhere", PASSWORD + end)
    key = load(encrypted, {"PRIVATE_KEY_PASSWORD_FILE": str(file)}).private_key()
    assert same_key(key.public_key(), PUBLIC)


def test_the_password_in_the_station_folder(encrypted: Path) -> None:
    put(encrypted, "run/pht/private_key.password", PASSWORD + b"\n")
    assert same_key(load(encrypted).private_key().public_key(), PUBLIC)


def test_two_passwords(encrypted: Path) -> None:
    file = put(encrypted, "elsewhere", b"y")
    both = {"PRIVATE_KEY_PASSWORD": "x", "PRIVATE_KEY_PASSWORD_FILE": str(file)}
    refused("setting-twice", load(encrypted, both).private_key)
    put(encrypted, "run/pht/private_key.password", PASSWORD)
    refused("setting-twice", load(encrypted, {"PRIVATE_KEY_PASSWORD": "x"}).private_key)


def test_a_wrong_password(encrypted: Path) -> None:
    loaded = load(encrypted, {"PRIVATE_KEY_PASSWORD": "mistaken"})
    message = refused("private-key-unusable", loaded.private_key)
    assert message.endswith("is not a valid private key in PEM, or the password is wrong")


def test_a_password_for_a_key_without_one(tmp_path: Path) -> None:
    put(tmp_path, "run/pht/private_key.pem", PEM)
    loaded = load(tmp_path, {"PRIVATE_KEY_PASSWORD": "x"})
    message = refused("private-key-unusable", loaded.private_key)
    assert message.endswith("is not encrypted, but a password is set")


def test_a_password_file_that_cannot_be_read(encrypted: Path) -> None:
    loaded = load(encrypted, {"PRIVATE_KEY_PASSWORD_FILE": "/nowhere"})
    assert "/nowhere" in refused("setting-unreadable", loaded.private_key)


def test_an_encrypted_key_without_its_password_names_the_file_for_it(encrypted: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        load(encrypted).private_key()
    assert "is encrypted, and there is no password" in raised.value.message
    assert f"put its password into {encrypted}/run/pht/private_key.password" in raised.value.hint


def test_an_empty_password_is_none(encrypted: Path) -> None:
    put(encrypted, "run/pht/private_key.password", b"\n")
    message = refused("private-key-unusable", load(encrypted).private_key)
    assert "there is no password" in message


# --- variables -----------------------------------------------------------------------------------


def test_what_holds_when_nothing_is_set(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert (loaded.timeout, loaded.export) == (None, None)
    assert (loaded.log_json, loaded.any_command, loaded.in_container) == (False, False, False)
    assert loaded.paths.config == tmp_path / "opt" / "train_config.json"
    refused("station-id-missing", loaded.station)


@pytest.mark.parametrize("folder", ["is missing", "is empty", "has a key"])
def test_a_missing_id_is_told_with_the_folder_that_nobody_has_filled(
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
    }
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    put(tmp_path, "run/pht/station.env", text.encode() if where == "station.env" else b"")

    loaded = load(tmp_path, lines if where == "environment" else {})

    assert loaded.station() == "ward 7 = ü"
    assert (loaded.timeout, loaded.log_json, loaded.any_command) == (3600.0, True, True)
    assert loaded.export == Path("/out/train.tar")


@pytest.mark.parametrize(
    "name", ["STATION_ID", "PHT_TIMEOUT", "PHT_LOG", "PHT_EXPORT", "PHT_COMMAND", "PHT_WHATEVER"]
)
def test_an_empty_setting_is_not_set(name: str, tmp_path: Path) -> None:
    put(tmp_path, "run/pht/station.env", b"PRIVATE_KEY_PATH=\n")
    loaded = load(tmp_path, {name: "", "RSA_STATION_PRIVATE_KEY": ""})
    assert loaded == load(tmp_path)
    refused("station-id-missing", loaded.station)
    refused("private-key-missing", loaded.private_key)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("PHT_TIMEOUT", value) for value in ("0", "-1", "1.5", "1h", "inf", "1e3", "٣")],
        ("PHT_TIMEOUT", "1" * 10),
        ("PHT_LOG", "JSON"),
        ("PHT_LOG", "yes"),
        ("PHT_COMMAND", "all"),
        ("PHT_COMMAND", "1"),
    ],
)
def test_a_value_that_makes_no_sense(name: str, value: str, tmp_path: Path) -> None:
    message = refused("setting-malformed", lambda: load(tmp_path, {name: value}))
    assert message.startswith(f"{name} is ")


@pytest.mark.parametrize("name", ["PHT_TIMEOUTS", "PHT_", "PHT_STATION_ID", "PHT_Log", "PHT_ROOT"])
def test_an_unknown_setting(name: str, tmp_path: Path) -> None:
    assert name in refused("setting-unknown", lambda: load(tmp_path, {name: "1"}))
    put(tmp_path, "run/pht/station.env", f"{name}=1\n".encode())
    assert name in refused("setting-unknown", lambda: load(tmp_path))


NOT_BUILT = ["PHT_TRAIN_USER", "PHT_NETWORK", "PHT_REPLAY", "PHT_ALLOW_UNPROTECTED_KEY"]


@pytest.mark.parametrize("name", NOT_BUILT)
def test_a_setting_that_is_not_built_yet(name: str, tmp_path: Path) -> None:
    assert name in refused("setting-not-built", lambda: load(tmp_path, {name: "1"}))


@pytest.mark.parametrize("name", ["trust", "masters.json"])
def test_a_file_that_is_not_built_yet(name: str, tmp_path: Path) -> None:
    file = put(tmp_path, f"run/pht/{name}", b"")
    assert str(file) in refused("setting-not-built", lambda: load(tmp_path))


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


def test_other_variables_are_none_of_our_business(tmp_path: Path) -> None:
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
def test_a_line_that_makes_no_sense(line: str, tmp_path: Path) -> None:
    file = put(tmp_path, "run/pht/station.env", f"B=secret\n{line}\n".encode())
    message = refused("station-env-malformed", lambda: load(tmp_path))
    assert f"line 2 of {file} " in message
    assert "secret" not in message


def test_a_station_env_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "run" / "pht" / "station.env").mkdir(parents=True)
    refused("setting-unreadable", lambda: load(tmp_path))


def test_environment_and_station_env_may_agree_but_not_differ(tmp_path: Path) -> None:
    put(tmp_path, "run/pht/station.env", b"STATION_ID=one\nMODEL=a\n")
    assert load(tmp_path, {"STATION_ID": "one", "MODEL": "a"}).station() == "one"
    message = refused("setting-twice", lambda: load(tmp_path, {"STATION_ID": "two"}))
    assert "STATION_ID" in message
    assert "two" not in message
    refused("setting-twice", lambda: load(tmp_path, {"MODEL": "b"}))


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
        "A": "1",
        "PATH": "/bin",
        "PHT_LOG": "text",
        "PHT_TRAIN_DIR": str(tmp_path / "opt" / "pht_train"),
        "PHT_RESULTS_DIR": str(tmp_path / "opt" / "pht_results"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def test_no_secret_is_shown_by_accident(tmp_path: Path) -> None:
    shown = repr(load(tmp_path, {**SECRETS, "MODEL": "other"}))
    assert [value for value in (*SECRETS.values(), "other") if value in shown] == []

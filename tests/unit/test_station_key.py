"""The station's private key: the places where it and its password are found, and keys refused."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from entrypoint.crypto.key_files import load_private_key
from entrypoint.crypto.keys import PrivateKey, load_public_key, same_key
from entrypoint.errors import SettingsError
from entrypoint.settings.load import load
from entrypoint.settings.private_key import load_station_key
from tests import reference
from tests.unit.settings_errors import settings_error

PEM = reference.vector_key("station_1", private=True)
OTHER_PEM = reference.vector_key("station_2", private=True)
PUBLIC = load_public_key(reference.vector_key("station_1"))
KEY = load_private_key(PEM, None, "vectors")
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


def station_key(root: Path, environment: Mapping[str, str] | None = None) -> PrivateKey:
    return load_station_key(load(root, environment or {}).key_settings)


def put(root: Path, path: str, data: bytes) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def key_error(code: str, root: Path, environment: Mapping[str, str] | None = None) -> str:
    """Return the message of the error, with this code, of the station's key."""
    return settings_error(code, lambda: station_key(root, environment)).message


# --- the key -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pem", [PEM, pkcs8()], ids=["PKCS#1", "PKCS#8"])
@pytest.mark.parametrize("name", ["RSA_STATION_PRIVATE_KEY", "RSA_STATON_PRIVATE_KEY"])
def test_the_key_in_a_variable(name: str, pem: bytes, tmp_path: Path) -> None:
    for text in (pem.hex(), pem.hex().upper()):
        assert same_key(station_key(tmp_path, {name: text}).public_key(), PUBLIC)


@pytest.mark.parametrize("name", ["RSA_STATION_PRIVATE_KEY_FILE", "PRIVATE_KEY_PATH"])
def test_the_key_in_another_file(name: str, tmp_path: Path) -> None:
    file = put(tmp_path, "elsewhere/key.pem", PEM)
    key = station_key(tmp_path, {name: str(file)})
    assert same_key(key.public_key(), PUBLIC)


@pytest.mark.parametrize("path", ["run/pht/private_key.pem", "run/secrets/rsa_station_private_key"])
def test_the_key_in_a_default_place(path: str, tmp_path: Path) -> None:
    put(tmp_path, path, PEM)
    assert same_key(station_key(tmp_path).public_key(), PUBLIC)


def test_all_files_that_may_hold_the_key_or_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    variables = {
        "RSA_STATION_PRIVATE_KEY_FILE": "/keys/one.pem",
        "PRIVATE_KEY_PATH": "two.pem",
        "PRIVATE_KEY_PASSWORD_FILE": "/keys/password",
        "RSA_STATION_PRIVATE_KEY": PEM.hex(),
        "PRIVATE_KEY_PASSWORD": "no path",
    }
    default = ["pht/private_key.pem", "pht/private_key.password", "secrets/rsa_station_private_key"]
    for environment, named in [
        (variables, [Path("/keys/one.pem"), tmp_path / "two.pem", Path("/keys/password")]),
        ({}, []),
    ]:
        found = load(tmp_path, environment).key_settings.files()
        assert found == [*named, *(tmp_path / "run" / path for path in default)]


def test_the_station_folder_is_the_first_default_place(tmp_path: Path) -> None:
    put(tmp_path, "run/pht/private_key.pem", PEM)
    put(tmp_path, "run/secrets/rsa_station_private_key", OTHER_PEM)
    assert same_key(station_key(tmp_path).public_key(), PUBLIC)


def test_the_same_file_named_twice_is_one_source(tmp_path: Path) -> None:
    file = str(put(tmp_path, "run/pht/private_key.pem", PEM))
    environment = {"RSA_STATION_PRIVATE_KEY_FILE": file, "PRIVATE_KEY_PATH": file}
    assert same_key(station_key(tmp_path, environment).public_key(), PUBLIC)


@pytest.mark.parametrize("name", ["private_key.pem", "private_key.password", "station.env"])
@pytest.mark.parametrize("kind", ["a folder", "a link to nowhere"])
def test_a_folder_or_dangling_link_in_place_of_a_file_is_refused(
    kind: str, name: str, tmp_path: Path
) -> None:
    put(tmp_path, "run/secrets/rsa_station_private_key", PEM)
    path = tmp_path / "run" / "pht" / name
    path.parent.mkdir()
    if kind == "a folder":  # as engines make of a mount whose source is missing
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    assert name in key_error("setting-unreadable", tmp_path)


def test_no_key_at_all(tmp_path: Path) -> None:
    message = key_error("private-key-missing", tmp_path)
    assert message == "no private key of the station is set"


TWO_KEYS: dict[str, Mapping[str, str]] = {
    "two spellings": {"RSA_STATION_PRIVATE_KEY": "00", "RSA_STATON_PRIVATE_KEY": "00"},
    "value and file": {"RSA_STATION_PRIVATE_KEY": "00", "RSA_STATION_PRIVATE_KEY_FILE": "/a"},
    "value and path": {"RSA_STATION_PRIVATE_KEY": "00", "PRIVATE_KEY_PATH": "/a"},
    "two files": {"RSA_STATION_PRIVATE_KEY_FILE": "/a", "PRIVATE_KEY_PATH": "/b"},
}


@pytest.mark.parametrize("environment", TWO_KEYS.values(), ids=TWO_KEYS.keys())
def test_two_keys(environment: Mapping[str, str], tmp_path: Path) -> None:
    message = key_error("setting-twice", tmp_path, environment)
    assert all(name in message for name in environment)


@pytest.mark.parametrize(
    "environment",
    [{"RSA_STATION_PRIVATE_KEY": PEM.hex()}, {"PRIVATE_KEY_PATH": "/a"}],
    ids=["value", "file"],
)
def test_a_key_set_beside_the_one_in_the_station_folder(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    file = put(tmp_path, "run/pht/private_key.pem", PEM)
    message = key_error("setting-twice", tmp_path, environment)
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
def test_an_unusable_key(pem: Callable[[], bytes], problem: str, tmp_path: Path) -> None:
    file = put(tmp_path, "run/pht/private_key.pem", pem())
    message = key_error("private-key-unusable", tmp_path)
    assert message == f"the private key from {file} {problem}" + (
        ", not 2048 to 8192" if "1024" in problem else ""
    )


@pytest.mark.parametrize("text", ["xyz", "0", "0x00", PEM.decode()])
def test_a_key_that_is_not_hex(text: str, tmp_path: Path) -> None:
    environment = {"RSA_STATION_PRIVATE_KEY": text}
    message = key_error("private-key-unusable", tmp_path, environment)
    assert message == "RSA_STATION_PRIVATE_KEY is not hex"


def test_key_files_that_cannot_be_read(tmp_path: Path) -> None:
    large = put(tmp_path, "large", bytes(1024 * 1024 + 1))
    for path in (tmp_path / "nowhere", tmp_path, large):
        environment = {"RSA_STATION_PRIVATE_KEY_FILE": str(path)}
        message = key_error("setting-unreadable", tmp_path, environment)
        assert str(path) in message


def test_the_numbers_of_a_key_are_validated(tmp_path: Path) -> None:
    numbers = KEY.private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        p=numbers.p,
        q=numbers.q,
        d=numbers.d + 2,
        dmp1=numbers.dmp1,
        dmq1=numbers.dmq1,
        iqmp=numbers.iqmp,
        public_numbers=numbers.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True)
    put(tmp_path, "run/pht/private_key.pem", private_pkcs1(wrong))
    message = key_error("private-key-unusable", tmp_path)
    assert message.endswith("is not a valid private key in PEM")


def private_pkcs1(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


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
    key = station_key(tmp_path, {"PRIVATE_KEY_PASSWORD": " ü=x "})
    assert same_key(key.public_key(), PUBLIC)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_password_in_a_file(end: bytes, encrypted: Path) -> None:
    file = put(encrypted, "elsewhere", PASSWORD + end)
    key = station_key(encrypted, {"PRIVATE_KEY_PASSWORD_FILE": str(file)})
    assert same_key(key.public_key(), PUBLIC)


def test_the_password_in_the_station_folder(encrypted: Path) -> None:
    put(encrypted, "run/pht/private_key.password", PASSWORD + b"\n")
    assert same_key(station_key(encrypted).public_key(), PUBLIC)


def test_two_passwords(encrypted: Path) -> None:
    file = put(encrypted, "elsewhere", b"y")
    both = {"PRIVATE_KEY_PASSWORD": "x", "PRIVATE_KEY_PASSWORD_FILE": str(file)}
    message = key_error("setting-twice", encrypted, both)
    assert all(name in message for name in both)
    file = put(encrypted, "run/pht/private_key.password", PASSWORD)
    message = key_error("setting-twice", encrypted, {"PRIVATE_KEY_PASSWORD": "x"})
    assert "PRIVATE_KEY_PASSWORD" in message
    assert str(file) in message


def test_a_wrong_password(encrypted: Path) -> None:
    message = key_error("private-key-unusable", encrypted, {"PRIVATE_KEY_PASSWORD": "mistaken"})
    assert message.endswith("is not a valid private key in PEM, or the password is wrong")


def test_a_password_for_a_key_without_one(tmp_path: Path) -> None:
    put(tmp_path, "run/pht/private_key.pem", PEM)
    message = key_error("private-key-unusable", tmp_path, {"PRIVATE_KEY_PASSWORD": "x"})
    assert message.endswith("is not encrypted, but a password is set")


def test_a_password_file_that_cannot_be_read(encrypted: Path) -> None:
    assert "/nowhere" in key_error(
        "setting-unreadable", encrypted, {"PRIVATE_KEY_PASSWORD_FILE": "/nowhere"}
    )


def test_an_encrypted_key_without_its_password_names_the_file_for_it(encrypted: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        station_key(encrypted)
    assert "is encrypted, and there is no password" in raised.value.message
    assert f"put its password into {encrypted}/run/pht/private_key.password" in raised.value.hint


def test_an_empty_password_counts_as_missing(encrypted: Path) -> None:
    put(encrypted, "run/pht/private_key.password", b"\n")
    message = key_error("private-key-unusable", encrypted)
    assert "there is no password" in message

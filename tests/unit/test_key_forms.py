"""Forms of key files: some are read, the others named with a command that converts them."""

import codecs
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat

from entrypoint.author import private_keys
from entrypoint.crypto.key_files import read_public_key
from entrypoint.crypto.keys import PrivateKey, load_public_key, same_key
from entrypoint.errors import SettingsError
from entrypoint.settings.load import load
from entrypoint.settings.private_key import load_station_key
from tests import reference

PEM = reference.vector_key("station_1", private=True)
PUBLIC_PEM = reference.vector_key("station_1")
KEY = serialization.load_pem_private_key(PEM, None)
PUBLIC = load_public_key(PUBLIC_PEM)

PLAIN = serialization.NoEncryption()
PASSWORD = b"secret"
LOCKED = KEY.private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, serialization.BestAvailableEncryption(PASSWORD)
)
PKCS1_PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
OPENSSH_PUBLIC = KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


def write_key(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def station_key(root: Path, **variables: str) -> PrivateKey:
    return load_station_key(load(root, variables).key_settings)


# --- forms that are read -------------------------------------------------------------------------


PUBLIC_FILES = {
    "SubjectPublicKeyInfo": PUBLIC_PEM,
    "PKCS#1": PKCS1_PUBLIC,
    "PKCS#1 with other line ends": PKCS1_PUBLIC.replace(b"\n", b"\r\n"),
    "hex": PUBLIC_PEM.hex().encode(),
    "hex of PKCS#1 and a line's end": PKCS1_PUBLIC.hex().encode() + b"\n",
    "with a byte order mark": codecs.BOM_UTF8 + PUBLIC_PEM,
    "hex with a byte order mark": codecs.BOM_UTF8 + PUBLIC_PEM.hex().encode(),
    "behind its attributes": b"Bag Attributes\n    friendlyName: ward\n" + PUBLIC_PEM,
    "PKCS#1 behind its attributes": b"Bag Attributes\n    friendlyName: ward\n" + PKCS1_PUBLIC,
    "upper-case hex in lines": "\n".join(PUBLIC_PEM.hex(" ", 32).upper().split()).encode(),
}


@pytest.mark.parametrize("data", PUBLIC_FILES.values(), ids=PUBLIC_FILES.keys())
def test_a_file_with_a_public_key(data: bytes, tmp_path: Path) -> None:
    assert same_key(read_public_key(write_key(tmp_path / "key", data)), PUBLIC)


PRIVATE_FILES = {
    "PKCS#1": PEM,
    "PKCS#8": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
    "with a byte order mark": codecs.BOM_UTF8 + PEM,
    "hex": PEM.hex().encode() + b"\n",
    "hex with a byte order mark": codecs.BOM_UTF8 + PEM.hex().encode(),
    "behind its attributes": b"Bag Attributes\n    friendlyName: ward\n" + PEM,
    "with its public key": PEM + PUBLIC_PEM,
    "behind its public key": PUBLIC_PEM + PEM,
    "hex of one behind its attributes": (b"Bag Attributes\n" + PEM).hex().encode(),
    "hex of both": (PUBLIC_PEM + PEM).hex().encode(),
}


@pytest.mark.parametrize("data", PRIVATE_FILES.values(), ids=PRIVATE_FILES.keys())
def test_a_file_with_a_private_key(data: bytes, tmp_path: Path) -> None:
    file = write_key(tmp_path / "run" / "pht" / "private_key.pem", data)
    assert same_key(station_key(tmp_path).public_key(), PUBLIC)
    assert same_key(private_keys.read(file, None).public_key(), PUBLIC)


def test_hex_of_an_encrypted_key(tmp_path: Path) -> None:
    file = write_key(tmp_path / "run" / "pht" / "private_key.pem", LOCKED.hex().encode())
    password = write_key(tmp_path / "run" / "pht" / "private_key.password", PASSWORD + b"\n")
    assert same_key(station_key(tmp_path).public_key(), PUBLIC)
    assert same_key(private_keys.read(file, password).public_key(), PUBLIC)


@pytest.mark.parametrize("data", [PUBLIC_PEM, PKCS1_PUBLIC, PKCS1_PUBLIC.hex().encode()])
def test_a_public_key_in_place_of_a_private_one_is_named(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is a public key"):
        private_keys.read(write_key(tmp_path / "key", data), None)


# --- forms that are named ------------------------------------------------------------------------


def utf_16(pem: bytes) -> bytes:
    return pem.decode().encode("utf-16")  # with a byte order mark, as editors write it


PRIVATE_OTHERS = {
    "the form of OpenSSH": KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, PLAIN),
    "DER": KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, PLAIN),
    "DER, PKCS#1": KEY.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, PLAIN),
    "UTF-16": utf_16(PEM),
    "UTF-16, without its mark": PEM.decode().encode("utf-16-le"),
}
PUBLIC_OTHERS = {
    "the form of OpenSSH": OPENSSH_PUBLIC + b" user@desk\n",
    "DER": KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "UTF-16": utf_16(PUBLIC_PEM),
}


def converted(refusal: SettingsError, file: Path) -> Path:
    """Run the command in a hint, and return the converted file."""
    command = refusal.hint.removeprefix("convert it to PEM: ").partition(" (")[0]
    program = command.split()[0]
    if not shutil.which(program):
        pytest.skip(f"needs the {program} command")
    new = file.with_name("new.pem")
    result = new if "NEW.pem" in command else file
    command = command.replace("FILE", str(file)).replace("NEW.pem", str(new))
    command = command.replace("-p -m", "-q -p -P '' -N '' -m")  # it asks for passwords
    file.chmod(0o600)
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    return result


def assert_named(refusal: SettingsError, form: str, code: str) -> None:
    assert refusal.code == code
    assert f"is in {form.partition(',')[0]}, not in PEM" in refusal.message
    assert "PRIVATE KEY" not in refusal.message + refusal.hint


@pytest.mark.parametrize("form", PRIVATE_OTHERS.keys())
def test_a_private_key_in_another_form_is_named_and_can_be_converted(
    form: str, tmp_path: Path
) -> None:
    data = PRIVATE_OTHERS[form]
    file = write_key(tmp_path / "run" / "pht" / "private_key.pem", data)
    with pytest.raises(SettingsError) as of_station:
        station_key(tmp_path)
    with pytest.raises(SettingsError) as at_desk:
        private_keys.read(file, None)
    for refusal in (of_station.value, at_desk.value):
        assert_named(refusal, form, "private-key-unusable")
    new = converted(at_desk.value, file)
    assert same_key(private_keys.read(new, None).public_key(), PUBLIC)


@pytest.mark.parametrize("form", PUBLIC_OTHERS.keys())
def test_a_public_key_in_another_form_is_named_and_can_be_converted(
    form: str, tmp_path: Path
) -> None:
    file = write_key(tmp_path / "key", PUBLIC_OTHERS[form])
    with pytest.raises(SettingsError) as caught:
        read_public_key(file)
    assert_named(caught.value, form, "public-key-unusable")
    assert same_key(read_public_key(converted(caught.value, file)), PUBLIC)


@pytest.mark.parametrize("form", ["the form of OpenSSH", "DER", "DER, PKCS#1"])
def test_hex_of_another_form_is_named(form: str, tmp_path: Path) -> None:
    hex_of = f"hex of {form}"
    private = write_key(
        tmp_path / "run" / "pht" / "private_key.pem", PRIVATE_OTHERS[form].hex().encode()
    )
    with pytest.raises(SettingsError) as of_station:
        station_key(tmp_path)
    with pytest.raises(SettingsError) as at_desk:
        private_keys.read(private, None)
    for refusal in (of_station.value, at_desk.value):
        assert_named(refusal, hex_of, "private-key-unusable")
        assert refusal.hint.startswith("turn the hex into bytes, as xxd -r -p does, and convert")
    if form in PUBLIC_OTHERS:
        with pytest.raises(SettingsError) as caught:
            read_public_key(write_key(tmp_path / "key", PUBLIC_OTHERS[form].hex().encode()))
        assert_named(caught.value, hex_of, "public-key-unusable")


@pytest.mark.parametrize("make", [bytes, lambda data: data.hex().encode()], ids=["bytes", "hex"])
@pytest.mark.parametrize("form", ["the form of OpenSSH", "DER"])
def test_no_command_is_given_that_cannot_convert_to_a_private_key(
    form: str, make: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    data = make(PUBLIC_OTHERS[form])
    file = write_key(tmp_path / "run" / "pht" / "private_key.pem", data)
    for read in (partial(station_key, tmp_path), partial(private_keys.read, file, None)):
        with pytest.raises(SettingsError, match=f"{form}, and is no such key$") as caught:
            read()
        assert caught.value.hint == "give that key, in PEM"


def test_no_command_is_given_that_cannot_convert_to_a_public_key(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"is in DER, and is no such key$") as caught:
        read_public_key(write_key(tmp_path / "key", PRIVATE_OTHERS["DER"]))
    assert caught.value.hint == "give that key, in PEM"


def test_an_encrypted_key_in_der_is_a_private_key(tmp_path: Path) -> None:
    encryption = serialization.BestAvailableEncryption(PASSWORD)
    data = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption)
    with pytest.raises(SettingsError) as caught:
        private_keys.read(write_key(tmp_path / "key", data), None)
    assert_named(caught.value, "DER", "private-key-unusable")


@pytest.mark.parametrize("data", [PEM, PEM + PUBLIC_PEM, PUBLIC_PEM + PEM, PEM.hex().encode()])
def test_a_private_key_in_place_of_a_public_one_is_named(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"holds a private key$"):
        read_public_key(write_key(tmp_path / "key", data))


@pytest.mark.parametrize("form", ["the form of OpenSSH", "DER"])
def test_another_form_in_a_variable_is_named_too(form: str, tmp_path: Path) -> None:
    variables = {"RSA_STATION_PRIVATE_KEY": PRIVATE_OTHERS[form].hex()}
    with pytest.raises(SettingsError) as caught:
        station_key(tmp_path, **variables)
    assert_named(caught.value, form, "private-key-unusable")


# --- the same thing, named twice -----------------------------------------------------------------


def test_a_key_behind_several_paths_is_one_key(tmp_path: Path) -> None:
    usual = write_key(tmp_path / "run" / "pht" / "private_key.pem", PEM)
    (tmp_path / "link").symlink_to(usual)
    (tmp_path / "second-name").hardlink_to(usual)
    roundabout = f"{tmp_path}/run/../run/pht/private_key.pem"
    for path in (tmp_path / "link", tmp_path / "second-name", roundabout):
        for name in ("RSA_STATION_PRIVATE_KEY_FILE", "PRIVATE_KEY_PATH"):
            key = station_key(tmp_path, **{name: str(path)})
            assert same_key(key.public_key(), PUBLIC)
    both = {"RSA_STATION_PRIVATE_KEY_FILE": str(tmp_path / "link"), "PRIVATE_KEY_PATH": str(usual)}
    assert same_key(station_key(tmp_path, **both).public_key(), PUBLIC)


def test_two_files_are_two_keys(tmp_path: Path) -> None:
    write_key(tmp_path / "run" / "pht" / "private_key.pem", PEM)
    copy = write_key(tmp_path / "copy", PEM)
    with pytest.raises(SettingsError) as caught:
        station_key(tmp_path, PRIVATE_KEY_PATH=str(copy))
    assert caught.value.code == "setting-twice"


def test_a_password_behind_two_paths_is_one_password(tmp_path: Path) -> None:
    write_key(tmp_path / "run" / "pht" / "private_key.pem", LOCKED)
    usual = write_key(tmp_path / "run" / "pht" / "private_key.password", PASSWORD)
    (tmp_path / "link").symlink_to(usual)
    for path in (usual, tmp_path / "link"):
        key = station_key(tmp_path, PRIVATE_KEY_PASSWORD_FILE=str(path))
        assert same_key(key.public_key(), PUBLIC)


# --- passwords in another encoding ---------------------------------------------------------------


ENCODED = {
    "is in UTF-16": PASSWORD.decode().encode("utf-16"),
    "is in UTF-16, as Windows": PASSWORD.decode().encode("utf-16-le"),
    "is in UTF-16, as Windows writes it": PASSWORD.decode().encode("utf-16-be"),
    "begins with a byte order mark": codecs.BOM_UTF8 + PASSWORD,
}


@pytest.mark.parametrize(("encoding", "data"), ENCODED.items())
def test_a_password_file_in_another_encoding_is_named(
    encoding: str, data: bytes, tmp_path: Path
) -> None:
    key = write_key(tmp_path / "run" / "pht" / "private_key.pem", LOCKED)
    file = write_key(tmp_path / "run" / "pht" / "private_key.password", data)
    for read in (partial(station_key, tmp_path), partial(private_keys.read, key, file)):
        with pytest.raises(SettingsError, match=f"or the password is wrong: it {encoding}"):
            read()
    with pytest.raises(SettingsError, match=f"the password {encoding}") as caught:
        private_keys.new_password(tmp_path / "new", file)
    assert caught.value.code == "password-unusable"


# --- passwords that are empty --------------------------------------------------------------------


@pytest.mark.parametrize("empty", [b"", b"\n", b"\r\n"])
def test_an_empty_password_file_counts_as_missing(empty: bytes, tmp_path: Path) -> None:
    key = write_key(tmp_path / "run" / "pht" / "private_key.pem", PEM)
    file = write_key(tmp_path / "run" / "pht" / "private_key.password", empty)
    assert same_key(station_key(tmp_path).public_key(), PUBLIC)
    assert same_key(private_keys.read(key, file).public_key(), PUBLIC)


def test_an_empty_password_file_does_not_contradict_a_password(tmp_path: Path) -> None:
    write_key(tmp_path / "run" / "pht" / "private_key.pem", LOCKED)
    write_key(tmp_path / "run" / "pht" / "private_key.password", b"\n")
    key = station_key(tmp_path, PRIVATE_KEY_PASSWORD=PASSWORD.decode())
    assert same_key(key.public_key(), PUBLIC)


def test_an_empty_password_file_in_a_setting_is_no_second_password(tmp_path: Path) -> None:
    write_key(tmp_path / "run" / "pht" / "private_key.pem", LOCKED)
    both = {"PRIVATE_KEY_PASSWORD": PASSWORD.decode(), "PRIVATE_KEY_PASSWORD_FILE": "/dev/null"}
    key = station_key(tmp_path, **both)
    assert same_key(key.public_key(), PUBLIC)


def test_an_empty_password_file_does_not_open_an_encrypted_key(tmp_path: Path) -> None:
    write_key(tmp_path / "run" / "pht" / "private_key.pem", LOCKED)
    write_key(tmp_path / "run" / "pht" / "private_key.password", b"\n")
    with pytest.raises(SettingsError, match="is encrypted, and there is no password"):
        station_key(tmp_path)

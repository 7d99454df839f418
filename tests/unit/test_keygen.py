"""Making a pair of keys: the files, the password, and that no key is ever overwritten."""

import hashlib
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from entrypoint.author import private_keys
from entrypoint.author.keygen import keygen
from entrypoint.errors import MissingInput, PhtError, SettingsError, UsageError
from tests.desk import Said, pht_on_terminal
from tests.station import pht

BITS = 2048
PASSWORD = "pass wörd"


def make_keys(
    name: Path,
    *,
    bits: int = BITS,
    password_file: Path | None = None,
    no_password: bool = False,
) -> str:
    said = Said()
    keygen(name, bits=bits, password_file=password_file, no_password=no_password, report=said)
    return said.text


def read_key(path: Path, password: str | None = None) -> rsa.RSAPrivateKey:
    secret = None if password is None else password.encode()
    key = serialization.load_pem_private_key(path.read_bytes(), secret)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def password_file(folder: Path, content: bytes) -> Path:
    path = folder / "password"
    path.write_bytes(content)
    return path


def test_the_two_files_are_one_pair(tmp_path: Path) -> None:
    make_keys(tmp_path / "user", no_password=True)
    private = read_key(tmp_path / "user.private.pem")
    public = serialization.load_pem_public_key((tmp_path / "user.public.pem").read_bytes())
    assert private.public_key() == public
    assert private.key_size == BITS
    assert private.private_numbers().public_numbers.e == 65537


def test_the_private_key_is_pkcs8(tmp_path: Path) -> None:
    make_keys(tmp_path / "plain", no_password=True)
    make_keys(tmp_path / "locked", password_file=password_file(tmp_path, b"secret"))
    first_lines = [
        (tmp_path / f"{name}.private.pem").read_text().splitlines()[0]
        for name in ("plain", "locked")
    ]
    assert first_lines == ["-----BEGIN PRIVATE KEY-----", "-----BEGIN ENCRYPTED PRIVATE KEY-----"]


def test_only_the_owner_ever_may_read_the_private_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_keys(tmp_path / "user", no_password=True)
        with private_keys.new_file(tmp_path / "empty"):
            created = (tmp_path / "empty").stat().st_mode
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "user.private.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(created) == 0o600


def test_the_fingerprint_is_printed_and_the_owner_told_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = make_keys(tmp_path / "user", no_password=True)
    der = read_key(tmp_path / "user.private.pem").public_key()
    spki = der.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert hashlib.sha256(spki).hexdigest() in capsys.readouterr().out
    assert "warning: a lost key or password cannot be recovered" in said
    assert "user.private.pem has no password" in said
    assert f"the public key is {tmp_path / 'user.public.pem'}: hand it out" in said


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_password_file_is_used_without_its_line_end(tmp_path: Path, end: str) -> None:
    make_keys(tmp_path / "user", password_file=password_file(tmp_path, (PASSWORD + end).encode()))
    read_key(tmp_path / "user.private.pem", PASSWORD)
    with pytest.raises(ValueError, match=r"(?i)password"):
        read_key(tmp_path / "user.private.pem", PASSWORD + "x")


def test_the_longest_password_works_and_a_longer_one_is_refused(tmp_path: Path) -> None:
    make_keys(tmp_path / "user", password_file=password_file(tmp_path, b"x" * 1023 + b"\r\n"))
    read_key(tmp_path / "user.private.pem", "x" * 1023)
    with pytest.raises(SettingsError, match="longer than 1023 bytes"):
        make_keys(tmp_path / "other", password_file=password_file(tmp_path, b"x" * 1024))


@pytest.mark.parametrize(
    ("content", "error", "code"),
    [
        (b"", SettingsError, "password-unusable"),
        (b"\n", SettingsError, "password-unusable"),
        (b"x" * 5000, MissingInput, "file-unreadable"),
        (None, MissingInput, "file-unreadable"),
    ],
)
def test_a_password_file_without_a_password_is_refused(
    tmp_path: Path, content: bytes | None, error: type[PhtError], code: str
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error) as refused:
        make_keys(tmp_path / "user", password_file=path)
    assert refused.value.code == code
    assert list(tmp_path.glob("user*")) == []


@pytest.mark.parametrize("bits", [0, 1024, 2047, 8193, 16384])
def test_a_size_that_no_station_accepts_is_refused(tmp_path: Path, bits: int) -> None:
    with pytest.raises(UsageError) as refused:
        make_keys(tmp_path / "user", bits=bits, no_password=True)
    assert refused.value.code == "key-size-refused"
    assert list(tmp_path.iterdir()) == []


def test_a_password_and_none_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        make_keys(tmp_path / "user", password_file=password_file(tmp_path, b"x"), no_password=True)
    assert refused.value.code == "options-contradict"


@pytest.mark.parametrize("existing", ["user.private.pem", "user.public.pem"])
@pytest.mark.parametrize("link", [False, True])
def test_nothing_is_overwritten(tmp_path: Path, existing: str, link: bool) -> None:
    path = tmp_path / existing
    if link:
        path.symlink_to("nowhere")
    else:
        path.write_text("precious")
    with pytest.raises(UsageError) as refused:
        make_keys(tmp_path / "user", no_password=True)
    assert refused.value.code == "key-exists"
    assert list(tmp_path.iterdir()) == [path]
    assert link or path.read_text() == "precious"


@pytest.mark.parametrize("existing", ["user.private.pem", "user.public.pem"])
def test_a_file_that_appears_meanwhile_is_not_overwritten(
    tmp_path: Path, existing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / existing
    generate = private_keys.generate

    def slow(bits: int) -> rsa.RSAPrivateKey:
        path.write_text("precious")
        return generate(bits)

    monkeypatch.setattr(private_keys, "generate", slow)
    with pytest.raises(UsageError) as refused:
        make_keys(tmp_path / "user", no_password=True)
    assert refused.value.code == "key-exists"
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "precious"


def test_on_a_terminal_the_password_is_asked_twice_and_not_shown(tmp_path: Path) -> None:
    status, shown = pht_on_terminal(
        ["keygen", tmp_path / "user", "--bits", str(BITS)], [PASSWORD.encode()] * 2
    )
    assert status == 0
    assert PASSWORD not in shown
    read_key(tmp_path / "user.private.pem", PASSWORD)


@pytest.mark.parametrize(
    ("answers", "problem", "hint"),
    [
        ([b"one", b"two"], "the two passwords differ", "start again"),
        ([b""], "the password is empty", "--no-password"),
        ([b"one", b""], "the password is empty", "--no-password"),
        ([b"\x04"], "the password is empty", "--no-password"),
    ],
    ids=["typed-differently", "empty", "empty-again", "end-of-file"],
)
def test_what_is_typed_wrong_is_refused(
    tmp_path: Path, answers: list[bytes], problem: str, hint: str
) -> None:
    status, shown = pht_on_terminal(["keygen", tmp_path / "user"], answers)
    assert status == 78
    assert problem in shown
    assert hint in shown
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_a_password_has_to_be_given_or_waived(tmp_path: Path) -> None:
    done = pht("keygen", tmp_path / "user")
    assert done.status == 64
    assert done.code == "password-needed"
    assert "--password-file" in done.stderr
    assert "--no-password" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_default_size_is_3072_bits(tmp_path: Path) -> None:
    assert pht("keygen", tmp_path / "user", "--no-password").status == 0
    assert read_key(tmp_path / "user.private.pem").key_size == 3072

"""Reads private keys, asking for their password on a terminal, and makes new ones."""

import getpass
import os
import sys
from functools import partial
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from entrypoint.crypto.key_files import load_private_key
from entrypoint.crypto.key_forms import encoding_of_password, pem_of_file
from entrypoint.crypto.keys import PrivateKey
from entrypoint.errors import MissingInput, SettingsError, UsageError
from entrypoint.files.bounded import read_bounded
from entrypoint.limits import PASSWORD_BYTES, RSA_EXPONENT, SETTINGS_BYTES


def read(path: Path, password_file: Path | None) -> PrivateKey:
    """Read a private key, in PEM or as hex of it, and ask for its password if no file holds it.

    An empty password file counts as none.

    Raises:
        MissingInput: a file cannot be read.
        UsageError: a password is needed, no file holds it and there is no terminal to ask on.
        SettingsError: it is not an acceptable private key, or the password is wrong.
    """
    pem = read_pem(path)
    password = b"" if password_file is None else _password_in(password_file, may_be_empty=True)
    encrypted = b"ENCRYPTED" in pem  # in the first line of PKCS#8, in the second of older files
    if encrypted and not password:
        _need_terminal(f"the key {path} has a password", hint="give it with --password-file FILE")
        password = _ask(f"password of {path}: ")
    return load_private_key(pem, password or None, str(path))


def read_pem(path: Path) -> bytes:
    """Return the PEM of a private key, which its file may hold as hex.

    Raises:
        MissingInput: the file cannot be read.
        SettingsError: it holds a public key.
    """
    pem = pem_of_file(read_file(path, SETTINGS_BYTES))
    if b" PUBLIC KEY-----" in pem and b"PRIVATE KEY-----" not in pem:
        raise SettingsError(
            "private-key-unusable",
            f"{path} is a public key",
            hint="give the private key that belongs to it: NAME.private.pem, if keygen made it",
        )
    return pem


def read_file(path: Path, limit: int) -> bytes:
    """Return the contents of a file of at most `limit` bytes; raises MissingInput."""
    try:
        return read_bounded(path, limit)
    except OSError as error:
        problem = (error.strerror or "it is unreadable").lower()
    raise MissingInput("file-unreadable", f"cannot read {path}: {problem}", hint="check the path")


def new_password(path: Path, password_file: Path | None) -> bytes:
    """Return the password for a new key, from the file or asked twice on the terminal.

    Raises:
        MissingInput: the file cannot be read.
        UsageError: there is no file and no terminal.
        SettingsError: it is empty, too long or in another encoding, or the two entries differ.
    """
    if password_file is not None:
        password = _password_in(password_file, may_be_empty=False)
        if encoding := encoding_of_password(password):
            hint = f"save {password_file} as UTF-8 without a byte order mark"
            raise _bad_password(f"the password {encoding}", hint=hint)
        return password
    _need_terminal(
        f"a password for {path} is needed and there is no terminal to ask on",
        hint="give --password-file FILE, or --no-password for a key without one",
    )
    password = _ask(f"password for {path}: ")
    if _ask("the same password again: ") != password:
        raise _bad_password("the two passwords differ", hint="start again")
    return password


def generate(bits: int) -> PrivateKey:
    """Return a new RSA key with a modulus of `bits` bits."""
    return rsa.generate_private_key(RSA_EXPONENT, bits)


def pem(key: PrivateKey, password: bytes | None) -> bytes:
    """Return a private key as PKCS#8, encrypted if there is a password."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def new_file(path: Path) -> IO[bytes]:
    """Create a file with mode 0600 from the start; FileExistsError if it exists."""
    return open(path, "xb", opener=partial(os.open, mode=0o600))


def _password_in(path: Path, *, may_be_empty: bool) -> bytes:
    # A password of the limit's length may end with two bytes of a line end.
    password = read_file(path, PASSWORD_BYTES + 2).rstrip(b"\r\n")
    if may_be_empty and not password:
        return b""
    return _usable(password, hint=f"put the password into {path} as its only line")


def _ask(prompt: str) -> bytes:
    try:
        password = getpass.getpass(prompt)
    except EOFError:
        password = ""
    return _usable(
        password.encode(errors="surrogateescape"),
        hint="type one; keygen makes a key without a password with --no-password",
    )


def _usable(password: bytes, *, hint: str) -> bytes:
    if not password:
        raise _bad_password("the password is empty", hint=hint)
    if len(password) > PASSWORD_BYTES:
        raise _bad_password(f"the password is longer than {PASSWORD_BYTES} bytes", hint=hint)
    return password


def _need_terminal(problem: str, *, hint: str) -> None:
    if not (sys.stdin and sys.stdin.isatty()):  # there is none if it is closed
        raise UsageError("password-needed", problem, hint=hint)


def _bad_password(problem: str, *, hint: str) -> SettingsError:
    return SettingsError("password-unusable", problem, hint=hint)

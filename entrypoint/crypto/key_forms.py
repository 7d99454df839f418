"""Recognises the form of a key file: reads PEM and its hex, and names how to convert others.

Also recognises the encodings in which editors save passwords.
"""

import codecs
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _Form(NamedTuple):
    """A form of key files that is not read, with the commands that convert it."""

    name: str
    convert_private: str
    convert_public: str


_SSH = _Form(
    "the form of OpenSSH",
    "ssh-keygen -p -m pem -f FILE (it replaces the file: make a copy first)",
    "ssh-keygen -e -m pkcs8 -f FILE > NEW.pem",
)
_DER = _Form(
    "DER",
    "openssl rsa -inform der -in FILE -out NEW.pem",
    "openssl rsa -pubin -inform der -in FILE -out NEW.pem",
)
_UTF_16 = _Form(
    "UTF-16",
    "iconv -f utf-16 -t utf-8 FILE > NEW.pem",
    "iconv -f utf-16 -t utf-8 FILE > NEW.pem",
)


def pem_of_file(data: bytes) -> bytes:
    """Return the PEM in the contents of a key file, which may be hex of it."""
    raw = _from_hex(data)
    return raw if raw and b"-----BEGIN " in raw and not _unread_form(raw) else data


def problem_of_form(data: bytes, *, private: bool) -> tuple[str, str] | None:
    """Return the problem with the form of a key file and a hint; None if it may be PEM."""
    raw = _from_hex(data)
    contents = data if raw is None else raw
    known = _unread_form(contents)
    if known is None:
        return None
    form = known.name if raw is None else f"hex of {known.name}"
    if not _may_be_of_kind(contents, known, private=private):
        return f"is in {form}, and is no such key", "give that key, in PEM"
    command = known.convert_private if private else known.convert_public
    first = "" if raw is None else "turn the hex into bytes, as xxd -r -p does, and "
    return f"is in {form}, not in PEM", f"{first}convert it to PEM: {command}"


def encoding_of_password(password: bytes) -> str:
    """Return a phrase about UTF-16 or a byte order mark in a password, else an empty text."""
    if password.startswith(_UTF_16_MARKS) or b"\0" in password[:2]:
        return "is in UTF-16, as Windows writes it"
    if password.startswith(codecs.BOM_UTF8):
        return "begins with a byte order mark, as Windows writes it"
    return ""


def _unread_form(data: bytes) -> _Form | None:
    """Return the form of a key file if it is one that is not read."""
    if data.startswith(_UTF_16_MARKS) or b"-\0-\0-\0" in data:
        return _UTF_16
    if b"-----BEGIN OPENSSH PRIVATE KEY-----" in data or data.startswith(b"ssh-rsa "):
        return _SSH
    if data.startswith(b"\x30\x82"):  # a sequence of more than 255 bytes (X.690)
        return _DER
    return None


def _may_be_of_kind(data: bytes, form: _Form, *, private: bool) -> bool:
    """Return whether these contents may be a private, or a public, key that can be converted."""
    if form is _SSH:
        return not (private and data.startswith(b"ssh-rsa "))
    if form is not _DER:
        return True
    try:
        if private:
            serialization.load_der_private_key(data, None, unsafe_skip_rsa_key_validation=True)
        else:
            serialization.load_der_public_key(data)
    except TypeError:  # it is encrypted
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _from_hex(data: bytes) -> bytes | None:
    """Return the bytes whose hex a file holds, or None if it holds something else."""
    try:
        return bytes.fromhex(data.removeprefix(codecs.BOM_UTF8).decode("ascii"))
    except ValueError:
        return None

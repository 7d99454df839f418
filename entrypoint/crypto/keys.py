"""RSA keys: reading, bounds, envelopes, and what else is derived from them."""

import codecs
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from entrypoint.crypto.cipher import Cipher
from entrypoint.errors import MissingInput, SettingsError
from entrypoint.limits import RSA_BITS_MAX, RSA_BITS_MIN, RSA_EXPONENT

PrivateKey = rsa.RSAPrivateKey
PublicKey = rsa.RSAPublicKey

_PUBLIC_HEADS = (b"-----BEGIN PUBLIC KEY-----", b"-----BEGIN RSA PUBLIC KEY-----")
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_JOURNAL_CONTEXT = b"pht visit journal, HMAC-SHA256, version 1"


class BadKey(Exception):
    """A key that is not accepted; the text says why and holds nothing of the key."""


class _Form(NamedTuple):
    """A form in which keys are handed out and which is not read, with commands that convert it."""

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


def _problem_of_form(data: bytes, *, private: bool) -> tuple[str, str] | None:
    """Return what is wrong with the form of a key file, and what to do; None if it may be PEM."""
    raw = _unhexed(data)
    contents = data if raw is None else raw
    form = _other_form(contents)
    if form is None:
        return None
    name = form.name if raw is None else f"hex of {form.name}"
    if not _may_be_of_kind(contents, form, private=private):
        kind = "private" if private else "public"
        return f"is in {name}, and is no {kind} key", f"give the {kind} key, in PEM"
    command = form.convert_private if private else form.convert_public
    first = "" if raw is None else "turn the hex into bytes, as xxd -r -p does, and "
    return f"is in {name}, not in PEM", f"{first}convert it to PEM: {command}"


def _may_be_of_kind(data: bytes, form: _Form, *, private: bool) -> bool:
    """Return whether the command that converts a key to PEM can work on these contents."""
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


def _other_form(data: bytes) -> _Form | None:
    """Return which of the forms that are not read the contents of a key file have."""
    if data.startswith(_UTF_16_MARKS) or b"-\0-\0-\0" in data:
        return _UTF_16
    if b"-----BEGIN OPENSSH PRIVATE KEY-----" in data or data.startswith(b"ssh-rsa "):
        return _SSH
    if data.startswith(b"\x30\x82"):  # a sequence of more than 255 bytes (X.690)
        return _DER
    return None


def pem_of_file(data: bytes) -> bytes:
    """Return the PEM in the contents of a key file, which may be the hex of it."""
    raw = _unhexed(data)
    return raw if raw and b"-----BEGIN " in raw and not _other_form(raw) else data


def _unhexed(data: bytes) -> bytes | None:
    """Return the bytes whose hex a file holds, or None if it holds something else."""
    try:
        return bytes.fromhex(data.removeprefix(codecs.BOM_UTF8).decode("ascii"))
    except ValueError:
        return None


def load_public_key(pem: bytes) -> PublicKey:
    """Read a public key as configurations carry it (PEM: SubjectPublicKeyInfo or PKCS#1).

    Raises:
        BadKey: not such a PEM, not RSA, modulus outside 2048–8192 bits, or e other than 65537.
    """
    if not pem.lstrip().startswith(_PUBLIC_HEADS):
        raise BadKey("is not a PEM public key")
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey("is not a readable PEM public key") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise BadKey("is not an RSA key")
    check_bounds(key)
    return key


def check_bounds(key: PublicKey) -> None:
    """Raise BadKey unless 2048 ≤ modulus bits ≤ 8192 and e = 65537 (docs/protocol.md, "Keys")."""
    if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        raise BadKey(f"has {key.key_size} bits, not {RSA_BITS_MIN} to {RSA_BITS_MAX}")
    if key.public_numbers().e != RSA_EXPONENT:
        raise BadKey(f"has a public exponent other than {RSA_EXPONENT}")


def load_private_key(
    pem: bytes, password: bytes | None, source: str, *, already_validated: bool = False
) -> PrivateKey:
    """Read an RSA private key from PEM (PKCS#1 or PKCS#8), and make sure that it works.

    Args:
        pem: the file's bytes.
        password: for an encrypted key, else None.
        source: where the key came from, for messages.
        already_validated: whether the numbers of the same key have been validated before.

    Raises:
        SettingsError: unreadable, wrong or missing password, not RSA, or out of bounds.
    """
    if problem_of_form := _problem_of_form(pem, private=True):
        problem, hint = problem_of_form
        raise _bad_private_key(source, problem, hint=hint)
    try:
        key = serialization.load_pem_private_key(
            pem, password, unsafe_skip_rsa_key_validation=already_validated
        )
        if not isinstance(key, rsa.RSAPrivateKey):
            raise BadKey("is not an RSA key")
        check_bounds(key.public_key())
    except TypeError:
        problem = "is encrypted" if password is None else "is not encrypted, but a password is set"
        raise _bad_private_key(source, problem) from None
    except (ValueError, UnsupportedAlgorithm):
        problem = "is not a valid private key in PEM"
        problem += ", or the password is wrong" if password else ""
        if password and (encoding := encoding_of_password(password)):
            problem += f": it {encoding}; save its file as UTF-8 without such a mark"
        raise _bad_private_key(source, problem) from None
    except BadKey as problem:
        raise _bad_private_key(source, str(problem)) from None
    return key


def encoding_of_password(password: bytes) -> str:
    """Return in words what an editor has done to a password when it saved it, or nothing."""
    if password.startswith(_UTF_16_MARKS) or b"\0" in password[:2]:
        return "is in UTF-16, as Windows writes it"
    if password.startswith(codecs.BOM_UTF8):
        return "begins with a byte order mark, as Windows writes it"
    return ""


def _bad_private_key(
    source: str,
    problem: str,
    hint: str = "give an RSA key of 2048 to 8192 bits in PEM, and its password if it has one",
) -> SettingsError:
    return SettingsError(
        "private-key-unusable", f"the private key from {source} {problem}", hint=hint
    )


def read_public_key(path: Path) -> PublicKey:
    """Read a file with a public key, in PEM or as hex of it.

    Raises:
        MissingInput: the file cannot be read.
        SettingsError: it is not an acceptable public key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingInput(
            "public-key-missing",
            f"cannot read the public key {path}: {(error.strerror or '').lower()}",
            hint="give the path of a PEM file that `pht keygen` or the station made",
        ) from None
    if problem_of_form := _problem_of_form(data, private=False):
        what, hint = problem_of_form
        raise SettingsError("public-key-unusable", f"the public key {path} {what}", hint=hint)
    try:
        return load_public_key(_public_part(pem_of_file(data)))
    except BadKey as problem:
        raise SettingsError(
            "public-key-unusable",
            f"the public key {path} {problem}",
            hint="give an RSA public key in PEM; a private key does not belong here",
        ) from None


def _public_part(pem: bytes) -> bytes:
    """Return a PEM file from its public key on: OpenSSL writes attributes in front of it.

    Raises:
        BadKey: there is a private key in it too, or instead.
    """
    if b"PRIVATE KEY-----" in pem:
        raise BadKey("holds a private key")
    starts = [pem.find(head) for head in _PUBLIC_HEADS if head in pem]
    return pem[min(starts) :] if starts else pem


def public_pem(key: PublicKey) -> bytes:
    """Return the key as configurations carry it."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def fingerprint(key: PublicKey) -> str:
    """Return the SHA-256 of the SubjectPublicKeyInfo in DER, lower-case hex."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return digest.finalize().hex()


def same_key(one: PublicKey, other: PublicKey) -> bool:
    """Return whether two public keys are the same RSA key."""
    return one.public_numbers() == other.public_numbers()


def wrap(key: PublicKey, secret: bytes) -> bytes:
    """Return the envelope of `secret` for `key` (docs/protocol.md, "Envelopes")."""
    return key.encrypt(secret, _oaep())


def unwrap(key: PrivateKey, envelope: bytes) -> bytes | None:
    """Return what an envelope holds, or None if it cannot be opened with this key."""
    try:
        return key.decrypt(envelope, _oaep())
    except ValueError:
        return None


def open_envelope(key: PrivateKey, envelope: bytes, cipher: Cipher) -> bytes:
    """Return the symmetric key in an envelope, or a random one if it does not hold any.

    Whoever tries forged envelopes then sees the files fail to decrypt, as with any other forgery
    (docs/security.md, "No oracle").
    """
    symmetric_key = unwrap(key, envelope)
    if symmetric_key is not None:
        with suppress(ValueError):  # what the envelope holds need not be a key
            cipher.decryptor(symmetric_key)
            return symmetric_key
    return cipher.generate_key()


def journal_key(key: PrivateKey) -> bytes:
    """Derive the 32-byte key that authenticates the journal (docs/crash-safety.md).

    HKDF (RFC 5869) over the private exponent: only the holder of the private key can make or
    check a journal, and the journal says nothing about the private key.
    """
    exponent = key.private_numbers().d
    secret = exponent.to_bytes((exponent.bit_length() + 7) // 8, "big")
    return HKDF(hashes.SHA256(), 32, salt=None, info=_JOURNAL_CONTEXT).derive(secret)


def _oaep() -> padding.OAEP:
    return padding.OAEP(padding.MGF1(hashes.SHA512()), hashes.SHA512(), label=None)

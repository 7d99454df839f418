"""`pht keygen`: makes a pair of RSA keys, or of Paillier keys for encrypted numbers."""

import os
from contextlib import ExitStack
from pathlib import Path

from entrypoint.author import paillier, private_keys
from entrypoint.crypto.keys import fingerprint, public_pem
from entrypoint.crypto.paillier_key import paillier_json
from entrypoint.errors import UsageError
from entrypoint.limits import PAILLIER_BITS_MAX, RSA_BITS_MAX, RSA_BITS_MIN
from entrypoint.report import Report, show


def keygen(
    name: Path, *, bits: int, password_file: Path | None, no_password: bool, report: Report
) -> None:
    """Write NAME.private.pem (PKCS#8, mode 0600) and NAME.public.pem; nothing is overwritten.

    Args:
        name: path of both files without their endings.
        bits: of the modulus.
        password_file: holds the password of the private key; by default it is asked for.
        no_password: leave the private key unencrypted.

    Raises:
        UsageError: the options contradict each other, a file exists, or there is no password.
        MissingInput, SettingsError: the password cannot be read or used.
    """
    _check_bits(bits, RSA_BITS_MAX)
    if password_file is not None and no_password:
        raise UsageError(
            "options-contradict",
            "--password-file and --no-password exclude each other",
            hint="give one of them, or none to be asked for a password",
        )
    private, public = _new_names(name, "pem")
    password = None if no_password else private_keys.new_password(private, password_file)
    report.info(f"making a key of {bits} bits")
    key = private_keys.generate(bits)
    _write(private, private_keys.pem(key, password), public, public_pem(key.public_key()))
    show(f"fingerprint (SHA-256 of the public key): {fingerprint(key.public_key())}")
    report.info(f"the private key is {private}: keep it secret, with a backup in a safe place")
    report.info(
        f"the public key is {public}: hand it out, and compare the fingerprint by telephone"
    )
    report.warning("a lost key or password cannot be recovered, and neither can the data it opens")
    if no_password:
        report.warning(f"{private} has no password: whoever can read the file has the key")


def keygen_paillier(name: Path, *, bits: int, password_file: Path | None, report: Report) -> None:
    """Write NAME.paillier.private.json (mode 0600) and NAME.paillier.public.json.

    Args:
        name: path of both files without their endings.
        bits: of the modulus.
        password_file: must be None, since the users' application reads no password.

    Raises:
        UsageError: the options contradict each other, or a file exists.
    """
    _check_bits(bits, PAILLIER_BITS_MAX)
    if password_file is not None:
        raise UsageError(
            "options-contradict",
            "--paillier and --password-file exclude each other: such a key has no password",
            hint="leave --password-file out, and keep the file of the private key where only you "
            "can read it",
        )
    private, public = _new_names(name.parent / f"{name.name}.paillier", "json")
    report.info(f"making a Paillier key of {bits} bits")
    key = paillier.generate(bits)
    _write(private, paillier.private_json(key), public, paillier_json(key.public))
    report.info(f"the private key is {private}: keep it secret, with a backup in a safe place")
    report.info(f"the public key is {public}: it goes into trains, with --paillier-key")
    report.warning("a lost key cannot be recovered, and neither can the numbers it opens")
    report.warning(f"{private} has no password: whoever can read the file has the key")


def _check_bits(bits: int, longest: int) -> None:
    if not RSA_BITS_MIN <= bits <= longest:
        raise UsageError(
            "key-size-refused",
            f"no key of {bits} bits is made",
            hint=f"choose {RSA_BITS_MIN} to {longest} bits; the default is 3072",
        )


def _new_names(name: Path, ending: str) -> tuple[Path, Path]:
    """Return the files of the private and the public key; raises UsageError if one exists."""
    private, public = (
        name.parent / f"{name.name}.{half}.{ending}" for half in ("private", "public")
    )
    for path in (private, public):
        if os.path.lexists(path):
            raise _exists(path)
    return private, public


def _write(private: Path, secret: bytes, public: Path, data: bytes) -> None:
    """Write both files, the first one with mode 0600, or none."""
    try:
        with ExitStack() as undo:
            with private_keys.new_file(private) as file:
                undo.callback(private.unlink)
                file.write(secret)
            with public.open("xb") as file:
                undo.callback(public.unlink)
                file.write(data)
            undo.pop_all()
    except FileExistsError as error:
        raise _exists(Path(error.filename)) from None


def _exists(path: Path) -> UsageError:
    return UsageError(
        "key-exists",
        f"{path} exists already, and a key is never overwritten",
        hint="choose another name; data encrypted for the old key can be opened with that key only",
    )

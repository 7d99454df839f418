"""`pht keygen`: makes a pair of RSA keys, for a user, a builder or a station."""

import os
from contextlib import ExitStack
from pathlib import Path

from entrypoint.author import private_keys
from entrypoint.crypto.keys import PrivateKey, fingerprint, public_pem
from entrypoint.errors import UsageError
from entrypoint.limits import RSA_BITS_MAX, RSA_BITS_MIN
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
    _check_options(bits, password_file, no_password)
    private = name.parent / f"{name.name}.private.pem"
    public = name.parent / f"{name.name}.public.pem"
    for path in (private, public):
        if os.path.lexists(path):
            raise _exists(path)
    password = None if no_password else private_keys.new_password(private, password_file)
    report.info(f"making a key of {bits} bits")
    key = private_keys.generate(bits)
    _write(private, public, key, password)
    show(f"fingerprint (SHA-256 of the public key): {fingerprint(key.public_key())}")
    report.info(f"the private key is {private}: keep it secret, with a backup in a safe place")
    report.info(
        f"the public key is {public}: hand it out, and compare the fingerprint by telephone"
    )
    report.warning("a lost key or password cannot be recovered, and neither can the data it opens")
    if no_password:
        report.warning(f"{private} has no password: whoever can read the file has the key")


def _check_options(bits: int, password_file: Path | None, no_password: bool) -> None:
    if not RSA_BITS_MIN <= bits <= RSA_BITS_MAX:
        raise UsageError(
            "key-size-refused",
            f"no station accepts a key of {bits} bits",
            hint=f"choose {RSA_BITS_MIN} to {RSA_BITS_MAX} bits; the default is 3072",
        )
    if password_file is not None and no_password:
        raise UsageError(
            "options-contradict",
            "--password-file and --no-password exclude each other",
            hint="give one of them, or none to be asked for a password",
        )


def _write(private: Path, public: Path, key: PrivateKey, password: bytes | None) -> None:
    """Write both files or none."""
    try:
        with ExitStack() as undo:
            with private_keys.new_file(private) as file:
                undo.callback(private.unlink)
                file.write(private_keys.pem(key, password))
            with public.open("xb") as file:
                undo.callback(public.unlink)
                file.write(public_pem(key.public_key()))
            undo.pop_all()
    except FileExistsError as error:
        raise _exists(Path(error.filename)) from None


def _exists(path: Path) -> UsageError:
    return UsageError(
        "key-exists",
        f"{path} exists already, and a key is never overwritten",
        hint="choose another name; data encrypted for the old key can be opened with that key only",
    )

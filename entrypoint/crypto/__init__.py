"""Ciphers, digests, signatures and keys; no fixed paths, no configuration."""

import sys

from entrypoint.errors import SystemFailure

CRYPTOGRAPHY = 45
"""The oldest major version of `cryptography` that the program works with, as in pyproject.toml."""

_HINT = f"install cryptography {CRYPTOGRAPHY} or newer for {sys.executable}, for example with pip"

try:
    import cryptography
except ModuleNotFoundError as error:
    raise SystemFailure(
        "cryptography-missing",
        f"this program needs cryptography {CRYPTOGRAPHY} or newer, but there is none",
        hint=_HINT,
    ) from error

# A broken installation leaves a package without a version.
_found = getattr(cryptography, "__version__", "0")

if int(_found.split(".")[0]) < CRYPTOGRAPHY:
    raise SystemFailure(
        "cryptography-too-old",
        f"this program needs cryptography {CRYPTOGRAPHY} or newer, but {cryptography.__file__} is "
        f"version {_found}",
        hint=_HINT,
    )

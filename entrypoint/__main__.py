"""Starts the program: `python3 -I -S -B <this file>` in images, elsewhere `pht`.

An older Python, down to 3.6, must be able to read this file, to say that it is too old.
"""

import os
import signal
import sys
from contextlib import suppress

PYTHON = (3, 11)
"""The oldest Python that the program runs on, as in pyproject.toml."""

_started_with = dict(os.environ)


def _refuse_python() -> None:
    """Exit on a Python that cannot read the modules of the program."""
    oldest, version = f"{PYTHON[0]}.{PYTHON[1]}", sys.version.split()[0]
    lines = [
        f"error: this program needs Python {oldest} or newer, but {sys.executable} is {version} "
        "[python-too-old]",
        "hint: start it with a newer Python",
    ]
    if sys.argv[1:2] == ["--as-entrypoint"]:
        lines.append(
            "result=refused status=71 code=python-too-old stage=start by=station retry=no "
            f"state=unchanged network=unknown trust=none layers=none runner={__version__}"
        )
    with suppress(OSError):  # stderr is closed or full
        os.write(2, os.fsencode("".join(f"pht: {line}\n" for line in lines)))
    sys.exit(71)


def _without_key(environment: "dict[str, str]") -> "dict[str, str]":
    """Return the environment without the station's key; see `settings.held_key`."""
    if sys.platform != "linux":
        return environment
    from entrypoint.settings.held_key import hide

    return hide(environment)


# OpenSSL would otherwise read a configuration below /opt, which trains can write to, or one that an
# image's variable names, and load the libraries named in it.
os.environ["OPENSSL_CONF"] = os.devnull
# Outside images `cryptography` may use the system's OpenSSL, which finds its modules in its default
# folder.
os.environ.pop("OPENSSL_MODULES", None)

if not __package__:
    # The package lies beside this file's folder, and in images `cryptography` does too, apart from
    # the packages for trains. With -I nothing comes before the standard library.
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    packages = os.path.join(home, "site")
    sys.path += [home, packages]
    if os.path.isdir(packages):
        # The locked OpenSSL needs no modules, and no file can exist below /dev/null.
        os.environ["OPENSSL_MODULES"] = os.devnull

    # PID 1 of a container would lose a request to stop that arrives before its handlers are set.
    signal.pthread_sigmask(
        signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    )

from entrypoint import __version__  # noqa: E402

if sys.version_info[:2] < PYTHON:
    _refuse_python()

# Before more is loaded: with a key in the environment the program starts once more, without it.
_started_with = _without_key(_started_with)

from entrypoint.cli.main import main  # noqa: E402 - it finds the environment as set above
from entrypoint.report import discard_unwritten  # noqa: E402


def start() -> None:
    """Run the program and exit with its status."""
    status = main(environment=_started_with)
    discard_unwritten()
    sys.exit(status)


if __name__ == "__main__":
    start()

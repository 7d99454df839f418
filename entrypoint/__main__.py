"""Starts the program: `python3 -I -S -B <this file>` in images, elsewhere `pht`."""

import os
import signal
import sys

_started_with = dict(os.environ)

# The OpenSSL of `cryptography` would read a configuration below /opt, where a train can write, or
# where a variable of the image says, and load the libraries that it names.
os.environ["OPENSSL_CONF"] = os.devnull
# On a desk OpenSSL may be the system's, and has libraries of its own in the place that it knows.
os.environ.pop("OPENSSL_MODULES", None)

if not __package__:
    # The package lies beside this file's folder, and in images `cryptography` does too, apart from
    # the packages for trains. With -I nothing comes before the standard library.
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    packages = os.path.join(home, "site")
    sys.path += [home, packages]
    if os.path.isdir(packages):
        # The locked OpenSSL needs no other library, and nobody can put one below a device.
        os.environ["OPENSSL_MODULES"] = os.devnull

    # PID 1 of a container would lose a request to stop that arrives before its handlers are set.
    signal.pthread_sigmask(
        signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    )

from entrypoint.cli.main import main  # noqa: E402 - it finds the environment as set above
from entrypoint.report import discard_unwritten  # noqa: E402


def start() -> None:
    """Run the program and exit with its status."""
    status = main(environment=_started_with)
    discard_unwritten()
    sys.exit(status)


if __name__ == "__main__":
    start()

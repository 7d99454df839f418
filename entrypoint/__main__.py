"""Start: `python3 -I -S -B <this file>` in images, `python -m entrypoint` or `pht` on a desk."""

import gc
import os
import sys

_started_with = dict(os.environ)

# The OpenSSL of `cryptography` would read a configuration below /opt, where a train can write, or
# where a variable of the image says, and load the libraries that it names.
os.environ["OPENSSL_CONF"] = os.devnull
# On a desk OpenSSL may be the system's, and has libraries of its own in the place that it knows.
os.environ.pop("OPENSSL_MODULES", None)

if not __package__:
    # Importing makes objects that stay: each look for garbage among them is time for nothing.
    gc.set_threshold(50_000)
    # The package is found beside its folder, and in the images `cryptography` too, apart from the
    # packages of the image. Nothing stands before the standard library with -I.
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    packages = os.path.join(home, "site")
    sys.path += [home, packages]
    if os.path.isdir(packages):
        # The locked OpenSSL needs no other library, and nobody can put one below a device.
        os.environ["OPENSSL_MODULES"] = os.devnull
    from entrypoint.bytecode import use

    use(home)

    import signal

    # PID 1 of a container would lose a request to stop that comes before it can be noted.
    signal.pthread_sigmask(
        signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    )

from entrypoint.cli.main import main  # noqa: E402 - it finds the environment as set above


def start() -> None:
    """Run the program and end at once.

    Every command has flushed what it wrote, and taking the interpreter apart, which does nothing
    more, would take a tenth of an empty visit.
    """
    os._exit(main(environment=_started_with))


if __name__ == "__main__":
    start()

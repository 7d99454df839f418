"""Start: `python3 -I -S -B <this file>` in images, `python -m entrypoint` on a desk."""

import gc
import os
import sys

if not __package__:
    # Importing makes objects that stay: each look for garbage among them is time for nothing.
    gc.set_threshold(50_000)
    # The package is found beside its folder, and in the images `cryptography` too, apart from the
    # packages of the image. Nothing stands before the standard library with -I.
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    sys.path += [home, os.path.join(home, "site")]
    from entrypoint.bytecode import use

    use(home)

    import signal

    # PID 1 of a container would lose a request to stop that comes before it can be noted.
    signal.pthread_sigmask(
        signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    )

from entrypoint.cli import main


def start() -> None:
    """Run the program and end at once.

    Every command has flushed what it wrote, and taking the interpreter apart, which does nothing
    more, would take a tenth of an empty visit.
    """
    os._exit(main())


if __name__ == "__main__":
    start()

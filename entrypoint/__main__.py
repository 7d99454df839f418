"""Start: `python3 -I -S -B <this file>` in images, `python -m entrypoint` on a desk."""

import gc
import os
import sys
from pathlib import Path
from typing import NoReturn

if not __package__:
    # Importing makes objects that stay: each look for garbage among them is time for nothing.
    gc.set_threshold(50_000)
    # Started as a file, the interpreter looks for modules in its folder. They are found beside it,
    # and in the images `cryptography` too, apart from the packages of the image.
    home = Path(__file__).resolve().parent.parent
    sys.path[0] = str(home)
    if (home / "site").is_dir():
        sys.path.insert(1, str(home / "site"))

from entrypoint.cli import main


def start() -> NoReturn:
    """Run the program and end at once.

    Every command has flushed what it wrote, and taking the interpreter apart, which does nothing
    more, would take a tenth of an empty visit.
    """
    os._exit(main())


if __name__ == "__main__":
    start()

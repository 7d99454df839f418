"""Start: `python3 -I -S -B <this folder>` in images, `python -m entrypoint` on a desk."""

import sys
from pathlib import Path

if not __package__:
    # Started as a folder, the interpreter looks for modules in it. They are found beside it, and in
    # the images `cryptography` too, apart from the packages of the image.
    home = Path(__file__).resolve().parent.parent
    sys.path[0] = str(home)
    if (home / "site").is_dir():
        sys.path.insert(1, str(home / "site"))

from entrypoint.cli import main

sys.exit(main())

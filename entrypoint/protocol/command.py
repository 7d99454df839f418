"""The part of the rule for the train's command that needs no file system.

No generation signs the command of an image, so the runner accepts only an interpreter that runs a
file of the signed list, or such a file itself: then the user has signed the code that runs.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from entrypoint.errors import IntegrityError

TRAIN_FOLDER = PurePosixPath("/opt/pht_train")
"""The folder of the signed files in every image."""

# Options that neither run other code nor change where code is loaded from.
_INTERPRETERS = (
    (r"python(?:3(?:\.\d+)?)?", r"-[bBdEIOPqRsSuv]+"),
    (r"(?:ba|da|a)?sh", r"-[eux]+"),
    (
        r"Rscript",
        r"--(?:vanilla|quiet|verbose|no-(?:save|restore|echo|environ|(?:site|init)-file))",
    ),
)


def position_of_file(command: Sequence[str]) -> int | None:
    """Return the index of the argument that must name a signed file, None if there is none."""
    name = PurePosixPath(command[0]).name
    for interpreter, option in _INTERPRETERS:
        if re.fullmatch(interpreter, name):
            for position, word in enumerate(command[1:], start=1):
                if not re.fullmatch(option, word):
                    return position
            return None
    return 0


def command_not_signed() -> IntegrityError:
    """Return the error for a command that runs no signed file."""
    return IntegrityError(
        "command-not-signed",
        "the command does not run one of the train's signed files",
        hint='build the image with CMD ["python", "/opt/pht_train/FILE"]; '
        "python, Rscript and sh with simple options are accepted",
        by="author",
    )

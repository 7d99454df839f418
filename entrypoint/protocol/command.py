"""The rule for the train's command.

No generation signs the command of an image, so the runner accepts only an interpreter that runs a
file of the verified list, or such a file itself: what runs is then what the user signed.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from entrypoint.errors import IntegrityError
from entrypoint.model import Paths
from entrypoint.process.start import find_program
from entrypoint.protocol.stages import VerifiedTrain

# Options that neither run something else nor change where code is loaded from.
_INTERPRETERS = (
    (r"python(?:3(?:\.\d+)?)?", r"-[bBdEIOPqRsSuv]+"),
    (r"(?:ba|da|a)?sh", r"-[eux]+"),
    (
        r"Rscript",
        r"--(?:vanilla|quiet|verbose|no-(?:save|restore|echo|environ|(?:site|init)-file))",
    ),
)
_TRAIN = PurePosixPath("/opt/pht_train")
_LINKS = 40  # so many are followed by Linux


def resolve(
    command: Sequence[str],
    train: VerifiedTrain,
    paths: Paths,
    *,
    any_command: bool,
    environment: Mapping[str, str],
) -> list[str]:
    """Return the command to run, with the path of the signed file as it is below the root.

    Args:
        command: program and arguments, as the image's CMD or the operator gives them.
        train: whose file list counts.
        paths: of this train.
        any_command: whether the station allows a command that runs no signed file.
        environment: of the command; its PATH finds the program.

    Raises:
        IntegrityError: the command does not run a signed file.
    """
    position = _position_of_file(command)
    if position is not None:
        path = _signed_file(command[position], train, paths)
        if path and not (position and _is_carried(command[0], paths, environment)):
            return [*command[:position], str(path), *command[position + 1 :]]
    if any_command:
        return list(command)
    raise IntegrityError(
        "command-not-signed",
        "the command does not run one of the train's signed files",
        hint='build the image with CMD ["python", "/opt/pht_train/FILE"]; '
        "python, Rscript and sh with simple options are accepted",
        by="author",
    )


def _position_of_file(command: Sequence[str]) -> int | None:
    """Return where in the command the signed file must stand."""
    name = PurePosixPath(command[0]).name
    for interpreter, option in _INTERPRETERS:
        if re.fullmatch(interpreter, name):
            for position, word in enumerate(command[1:], start=1):
                if not re.fullmatch(option, word):
                    return position
            return None
    return 0


def _signed_file(word: str, train: VerifiedTrain, paths: Paths) -> Path | None:
    """Return the path of the file that `word` names, if it is of the verified list."""
    named = PurePosixPath(word)
    if named.is_relative_to(_TRAIN):
        path = paths.train / named.relative_to(_TRAIN)
    else:
        # A bare word too, so that it cannot come to mean a program that PATH finds.
        path = Path.cwd() / named
    path = Path(os.path.normpath(path))
    folder, resolved = _real(paths.train), _real(path)
    if not resolved.is_relative_to(folder):
        return None
    return path if resolved.relative_to(folder).as_posix() in train.config.files else None


def _is_carried(program: str, paths: Paths, environment: Mapping[str, str]) -> bool:
    """Return whether the interpreter would come with the train instead of the master image.

    It does if the way to it leads through the data, one of the train's own paths, or a name below
    `/opt` that begins like one: work folders are called so, and image checks let a train bring
    such paths. A link there chooses what runs as well as a file does.
    """
    try:
        path = Path(find_program(program, environment))
    except FileNotFoundError:
        return False
    own = (paths.train, paths.results, paths.config, paths.user_key, paths.data)
    beginnings = tuple(str(_real(paths.opt) / place.name) for place in own)
    return any(str(place).startswith(beginnings) for place in _way_to(path))


def _way_to(path: Path) -> Iterator[Path]:
    """Yield every place that the kernel passes when it looks a path up (path_resolution(7))."""
    here, links = Path("/"), 0
    rest = [*reversed(Path.cwd().joinpath(path).parts[1:])]
    while rest:
        name = rest.pop()
        here = here.parent if name == ".." else here / name
        yield here
        if here.is_symlink() and links < _LINKS:
            links += 1
            target = here.parent / os.readlink(here)
            rest += reversed(target.parts[1:])
            here = Path("/")


def _real(path: str | Path) -> Path:
    """Return where a path leads; `Path.resolve` raises where links go round in a circle."""
    return Path(os.path.realpath(path))

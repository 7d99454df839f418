"""Finds the train's command on this machine, and checks that it runs a signed file."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from entrypoint.model import Paths
from entrypoint.process.start import find_program
from entrypoint.protocol.command import TRAIN_FOLDER, command_not_signed, position_of_file
from entrypoint.protocol.stages import VerifiedTrain

_MAX_LINKS = 40
"""Maximum number of links that Linux follows in one path."""


def resolve_command(
    command: Sequence[str],
    train: VerifiedTrain,
    paths: Paths,
    *,
    any_command: bool,
    environment: Mapping[str, str],
) -> list[str]:
    """Return the command to run, with the path of its signed file below the root.

    Args:
        command: program and arguments, from the image's CMD or the operator.
        train: its file list counts.
        paths: of this train.
        any_command: whether the station allows a command that runs no signed file.
        environment: of the command; its PATH finds the program.

    Raises:
        IntegrityError: the command does not run a signed file.
    """
    position = position_of_file(command)
    if position is not None:
        path = _signed_file(command[position], train, paths)
        if path and not (position and _comes_with_train(command[0], paths, environment)):
            return [*command[:position], str(path), *command[position + 1 :]]
    if any_command:
        return list(command)
    raise command_not_signed()


def _signed_file(word: str, train: VerifiedTrain, paths: Paths) -> Path | None:
    """Return the path of the listed file that an argument names, None if it names no listed one."""
    named = PurePosixPath(word)
    if named.is_relative_to(TRAIN_FOLDER):
        path = paths.train / named.relative_to(TRAIN_FOLDER)
    else:
        # Absolute, so that a word without a slash cannot name a program in PATH instead.
        path = Path.cwd() / named
    path = Path(os.path.normpath(path))
    folder, resolved = _real(paths.train), _real(path)
    if not resolved.is_relative_to(folder):
        return None
    return path if resolved.relative_to(folder).as_posix() in train.config.files else None


def _comes_with_train(program: str, paths: Paths, environment: Mapping[str, str]) -> bool:
    """Return whether the interpreter may come with the train and not from the master image.

    Its path, links included, must not lead through the data or through the train's own paths, nor
    through names below `/opt` that begin like these: work folders have such names, and image checks
    let a train bring such paths. A link there decides what runs just as a file does. A simulated
    stop sees its folders at `/opt` too, and refuses what a station refuses.
    """
    try:
        path = Path(find_program(program, environment))
    except FileNotFoundError:
        return False
    own = (paths.train, paths.results, paths.config, paths.user_key, paths.data)
    seen_at = (_real(paths.opt), TRAIN_FOLDER.parent)
    prefixes = tuple(str(opt / place.name) for opt in seen_at for place in own)
    return any(str(place).startswith(prefixes) for place in _traversed(path))


def _traversed(path: Path) -> Iterator[Path]:
    """Yield every file, folder and link that the kernel passes on a path (path_resolution(7))."""
    here, links = Path("/"), 0
    rest = [*reversed(Path.cwd().joinpath(path).parts[1:])]
    while rest:
        name = rest.pop()
        here = here.parent if name == ".." else here / name
        yield here
        if here.is_symlink() and links < _MAX_LINKS:
            links += 1
            target = here.parent / os.readlink(here)
            rest += reversed(target.parts[1:])
            here = Path("/")


def _real(path: str | Path) -> Path:
    """Return the path without links; unlike `Path.resolve`, never raise for links in a circle."""
    return Path(os.path.realpath(path))

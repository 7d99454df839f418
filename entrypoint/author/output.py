"""Output folders that appear complete or not at all."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from entrypoint.errors import MissingInput, UsageError


def check_free(output: Path) -> None:
    """Check that `output` can be made, or is an empty folder.

    Raises:
        UsageError: it is a file, a link or a folder with contents.
        MissingInput: its parent folder does not exist.
    """
    if output.is_dir() and not any(output.iterdir()):
        return
    if os.path.lexists(output):
        raise UsageError(
            "output-exists",
            f"{output} exists already, and nothing is overwritten",
            hint="name a new or an empty folder",
        )
    if not output.absolute().parent.is_dir():
        raise MissingInput(
            "output-parent-missing",
            f"there is no folder {output.parent} to make {output.name} in",
            hint="make that folder first, or correct the path",
        )


def check_apart(train: Path, paths: Iterable[Path | None]) -> None:
    """Raise UsageError if one of the paths lies in the train's folder and would travel with it."""
    for path in paths:
        if path is not None and path.resolve().is_relative_to(train.resolve()):
            raise UsageError(
                "path-inside-train",
                f"{path} lies in the folder of the train and would travel with it",
                hint="keep keys and outputs in another folder than the train's files",
            )


@contextmanager
def private_folder(output: Path) -> Iterator[Path]:
    """Yield a temporary folder of mode 0700 on the file system of `output`."""
    place = output if output.is_dir() else output.absolute().parent
    with tempfile.TemporaryDirectory(prefix=".pht-", dir=place) as folder:
        yield Path(folder)


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """Yield an empty folder, which becomes `output` only if the block succeeds.

    Raises:
        UsageError, MissingInput: as `check_free`.
    """
    check_free(output)
    with private_folder(output) as private:
        new = private / "new"
        new.mkdir()
        yield new
        if output.is_dir():  # it may be a mount point, which no other folder can replace
            for child in list(new.iterdir()):
                child.rename(output / child.name)
        else:
            new.rename(output)

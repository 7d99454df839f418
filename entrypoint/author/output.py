"""A folder that appears complete or not at all."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from entrypoint.errors import MissingInput, UsageError


def check_free(output: Path) -> None:
    """Check that `output` can be made, or is an empty folder.

    Raises:
        UsageError: something is there.
        MissingInput: the folder it is to lie in does not exist.
    """
    if output.is_dir() and not any(output.iterdir()):
        return
    if output.is_symlink() or output.exists():
        raise UsageError(
            "output-exists",
            f"{output} exists already, and nothing is overwritten",
            hint="name a new or an empty folder",
            by="user",
        )
    if not output.absolute().parent.is_dir():
        raise MissingInput(
            "output-parent-missing",
            f"there is no folder {output.parent} to make {output.name} in",
            hint="make that folder first, or correct the path",
            by="user",
        )


def check_apart(train: Path, paths: Iterable[Path | None]) -> None:
    """Raise UsageError if one of the paths lies in the train's folder and would travel with it."""
    for path in paths:
        if path is not None and path.resolve().is_relative_to(train.resolve()):
            raise UsageError(
                "path-inside-train",
                f"{path} lies in the folder of the train and would travel with it",
                hint="keep keys and outputs in another folder than the train's files",
                by="author",
            )


@contextmanager
def private_folder(output: Path) -> Iterator[Path]:
    """Give a temporary folder of mode 0700 on the file system on which `output` is or will be."""
    place = output if output.is_dir() else output.absolute().parent
    with tempfile.TemporaryDirectory(prefix=".pht-", dir=place) as folder:
        yield Path(folder)


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """Give an empty folder to fill, which becomes `output` only if the block succeeds.

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

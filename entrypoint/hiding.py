"""Mounts that hide what the image has, told where a part of the train seems to be missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entrypoint.errors import IntegrityError, PhtError, SettingsError
from entrypoint.linux.mounts import is_mount_point
from entrypoint.model import Paths

_FORGERIES = ("definition-changed", "results-unverified")
"""What a mount looks like on which another train, or another stage of this one, was left."""


@contextmanager
def mounts_named(paths: Paths) -> Iterator[None]:
    """Say of a refusal for missing or other files that a mount hides them, if there is one.

    Raises:
        SettingsError: instead of a forgery, where the files lie on a mount of their own.
    """
    places = {
        "no-train": paths.opt,
        "train-files-differ": paths.train,
        "results-before-first-stop": paths.results,
    }
    try:
        yield
    except PhtError as error:
        if isinstance(error, IntegrityError) and error.code in _FORGERIES:
            place = paths.train if error.stage == "verify" else paths.results
            if _is_mounted(place):
                raise _hidden(place, error) from error
        hidden = places.get(error.code)
        if hidden and _is_mounted(hidden):
            error.by = "station"
            error.hint = (
                f"{hidden} is a mount, and a volume, folder or tmpfs hides what the image has "
                "there: start a new container without it; if it is a new, anonymous volume, "
                f"into which the engine has copied that: {error.hint}"
            )
        raise


def _is_mounted(place: Path) -> bool:
    try:
        return is_mount_point(place)
    except OSError:  # there is no such folder, so no mount either
        return False


def _hidden(place: Path, forgery: PhtError) -> SettingsError:
    """Return the refusal of a mount whose files are not those of the train; nobody is accused."""
    error = SettingsError(
        "place-unsuitable",
        f"{place} is a mount, and the files on it are not those that came with the train",
        hint="start a new container without it; if it is a new, anonymous volume, into which the "
        f"engine has copied those: {forgery.message}; {forgery.hint}",
    )
    error.stage, error.state = forgery.stage, forgery.state
    return error

"""Mounts that hide what the image has, told where a part of the train seems to be missing."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from entrypoint.errors import PhtError
from entrypoint.linux.mounts import is_mount_point
from entrypoint.model import Paths


@contextmanager
def mounts_named(paths: Paths) -> Iterator[None]:
    """Add to a refusal for missing files that a mount hides them, if something is mounted there."""
    places = {
        "no-train": paths.opt,
        "train-files-differ": paths.train,
        "results-before-first-stop": paths.results,
    }
    try:
        yield
    except PhtError as error:
        with suppress(OSError):  # there is no such folder, so no mount either
            if (place := places.get(error.code)) and is_mount_point(place):
                error.by = "station"
                error.hint = (
                    f"{place} is a mount, and a volume, folder or tmpfs hides what the image has "
                    "there: start a new container without it; if it is a new, anonymous volume, "
                    f"into which the engine has copied that: {error.hint}"
                )
        raise

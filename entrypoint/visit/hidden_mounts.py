"""Mounts that hide what the image has, told where a part of the train seems to be missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entrypoint.errors import IntegrityError, PhtError, SettingsError
from entrypoint.linux.mounts import is_mount_point, mounts_below
from entrypoint.model import Paths


@contextmanager
def mount_named(paths: Paths, tree: Path | None = None) -> Iterator[None]:
    """Say of a refusal for missing or other files that a mount hides them, if there is one.

    Args:
        paths: where the train is; a mount over all of it, or over the configuration, always counts.
        tree: the folder of the train with which the block deals; then mounts over or in it count.

    Raises:
        SettingsError: instead of a forgery, where the files lie on a mount of their own.
    """
    try:
        yield
    except PhtError as error:
        place = _hiding(paths, tree) if error.files_differ else None
        if place is None:
            raise
        if isinstance(error, IntegrityError):
            raise _others_on_mount(place, error) from error
        raise error.with_hint(
            f"{place} is a mount, and a volume, folder, file or tmpfs hides what the image has "
            "there: start a new container without it; if it is a new, anonymous volume, "
            f"into which the engine has copied that: {error.hint}",
            by="station",
        ) from error


def _hiding(paths: Paths, tree: Path | None) -> Path | None:
    """Return the mount point nearest to the files that are missing or others, if there is one."""
    inside = mounts_below(tree) if tree else []
    over = [place for place in (tree, paths.config, paths.opt) if place and _is_mounted(place)]
    return next(iter([*inside, *over]), None)


def _is_mounted(place: Path) -> bool:
    try:
        return is_mount_point(place)
    except OSError:  # there is no such folder, so no mount either
        return False


def _others_on_mount(place: Path, forgery: IntegrityError) -> SettingsError:
    """Return the refusal of a mount whose files are not those of the train; nobody is accused."""
    return SettingsError(
        "place-unsuitable",
        f"{place} is a mount, and the files on it are not those that came with the train",
        hint="start a new container without it; if it is a new, anonymous volume, into which the "
        f"engine has copied those: {forgery.message}; {forgery.hint}",
    )

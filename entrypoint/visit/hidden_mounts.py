"""Names mounts that hide files of the image where a part of the train seems to be missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entrypoint.errors import IntegrityError, PhtError, SettingsError
from entrypoint.linux.mounts import is_mount_point, mounts_below
from entrypoint.model import Paths


@contextmanager
def explain_mounts(paths: Paths, tree: Path | None = None) -> Iterator[None]:
    """Replace an error for missing or unexpected files if a mount may hide the right ones.

    Args:
        paths: of the train; mounts over all of it, or over the configuration, always count.
        tree: the folder that the block reads; mounts over it and inside count too.

    Raises:
        SettingsError: instead of an IntegrityError, if there is such a mount.
        PhtError: otherwise of the same class, with a hint that names the mount.
    """
    try:
        yield
    except PhtError as error:
        place = _mount_over(paths, tree) if error.files_differ else None
        if place is None:
            raise
        if isinstance(error, IntegrityError):
            raise _others_on_mount(place, error) from error
        raise error.with_hint(
            f"{place} is a mount, and a volume, folder, file or tmpfs hides what the image has "
            "there: start a new container without it; if it is a new, anonymous volume, "
            f"its files are the image's, and this applies: {error.hint}",
            by="station",
        ) from error


def _mount_over(paths: Paths, tree: Path | None) -> Path | None:
    """Return the mount point nearest to the files in question, None if there is none."""
    inside = mounts_below(tree) if tree else []
    over = [place for place in (tree, paths.config, paths.opt) if place and _is_mounted(place)]
    return next(iter([*inside, *over]), None)


def _is_mounted(place: Path) -> bool:
    try:
        return is_mount_point(place)
    except OSError:  # without the folder there is no mount
        return False


def _others_on_mount(place: Path, error: IntegrityError) -> SettingsError:
    """Return the error for a mount that holds other files; without suggesting a forgery."""
    return SettingsError(
        "place-unsuitable",
        f"{place} is a mount, and the files on it are not those that came with the train",
        hint="start a new container without it; if it is a new, anonymous volume, its files are "
        f"the image's, and this applies: {error.message}; {error.hint}",
    )

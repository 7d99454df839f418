"""The scratch folder of a train's run, which holds its working folder, HOME and TMPDIR.

A train runs as a user who can write neither to `/root`, the usual HOME of an image, nor to `/`, its
usual working folder.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from entrypoint.errors import StorageError
from entrypoint.files.attributes import Owner, allow_changes
from entrypoint.linux.mounts import mount_of
from entrypoint.linux.remove import is_folder, remove
from entrypoint.model import Paths
from entrypoint.report import Report
from entrypoint.visit.left_files import warn_of_left_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """The scratch folder of one run.

    Attributes:
        path: the folder itself, which only the train's user may enter.
        cwd: the train's working folder; None if it is that of the runner.
    """

    path: Path
    cwd: Path | None

    @classmethod
    def make(cls, paths: Paths, *, in_container: bool, owner: Owner | None) -> Self:
        """Make the folder, below `/tmp` if programs there may be executed, else below `/opt`.

        Args:
            paths: of the train.
            in_container: whether `/tmp` is the container's; else the folder of temporary files is
                that of the operator.
            owner: user and group of the train; None if they are those of the runner.

        Raises:
            StorageError: it cannot be made anywhere.
        """
        problems = []
        for place in _places(paths, in_container=in_container, owner=owner):
            try:
                path = _make_in(place, paths)
                cwd = _fill_or_remove(path, paths, owner=owner)
                return cls(path=path, cwd=cwd)
            except OSError as error:
                problems.append(f"{place}: {(error.strerror or str(error)).lower()}")
        raise StorageError(
            "no-working-folder",
            "no folder can be made for the train's working folder, HOME and TMPDIR",
            hint="add --tmpfs /tmp:exec to the options of docker run, or free space on the disk",
            problems=problems,
            retry=True,
        )

    def variables(self) -> dict[str, str]:
        """Return the variables of the train's environment that name folders in here."""
        return {"HOME": str(_home(self.path)), "TMPDIR": str(_tmp(self.path))}

    def remove(self, report: Report) -> None:
        """Remove the folder; log a warning of what goes with it, and if it cannot be removed.

        What the train has left in `HOME` and `TMPDIR` is not named: nobody misses it.
        """
        try:
            warn_of_left_files(report, "its working folder", self._left())
            remove(self.path)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            report.warning(f"the train's scratch folder {self.path} cannot be removed: {why}")

    def _left(self) -> list[str]:
        """Return the names in the working folder, but those of links, such as ours."""
        if self.cwd is None:
            return []
        for folder in (self.path, self.cwd):  # the train may have replaced one, or closed it
            if not is_folder(folder):
                return []
            allow_changes(folder)
        entries = sorted(os.scandir(self.cwd), key=lambda entry: entry.name)
        return [
            entry.name + "/" * entry.is_dir(follow_symlinks=False)
            for entry in entries
            if not entry.is_symlink()
        ]


def _places(paths: Paths, *, in_container: bool, owner: Owner | None) -> list[Path]:
    """Return the folders in which the scratch folder may lie, the most suitable one first."""
    if not in_container:
        return [Path(tempfile.gettempdir())]
    places = [paths.opt]
    tmp = paths.root / "tmp"
    # A link of the image could lead into the results; a mount may be closed to the train's user.
    if is_folder(tmp) and (owner is None or tmp.stat().st_mode & 0o001):
        places.insert(0, tmp)
    # Not asked by statvfs(3), which does not tell it in gVisor.
    return sorted(places, key=lambda place: mount_of(place).noexec)


def _make_in(place: Path, paths: Paths) -> Path:
    """Make the folder, which only this user may enter.

    Below `/tmp` no image can foresee its name. Below `/opt` the name is fixed, so that the next
    start can remove the folder after a kill; whatever an image has put there is removed.
    """
    if place != paths.opt:
        return Path(tempfile.mkdtemp(prefix="pht-", dir=place))
    remove(paths.scratch)
    paths.scratch.mkdir(mode=0o700)
    return paths.scratch


def _fill_or_remove(path: Path, paths: Paths, *, owner: Owner | None) -> Path | None:
    """Make the folders in it, or remove it if that fails.

    Returns:
        The train's working folder; None if it is that of the runner.
    """
    cwd = path / "work" if paths.root.samefile(".") else None
    try:
        for folder in (_home(path), _tmp(path), *([cwd] if cwd else ())):
            folder.mkdir(mode=0o700)
        if cwd:
            for entry in paths.root.iterdir():
                (cwd / entry.name).symlink_to(entry)
        if owner:
            for folder in (path, *path.iterdir()):
                os.chown(folder, *owner)
    except OSError:
        remove(path)
        raise
    return cwd


def _home(path: Path) -> Path:
    return path / "home"


def _tmp(path: Path) -> Path:
    return path / "tmp"

"""A simulated visit by the real runner, as a process of this machine with a root of its own."""

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from entrypoint.author.plan import Plan
from entrypoint.author.stop import data_path, wait
from entrypoint.author.visit_result import VisitResult, read_log
from entrypoint.errors import MissingInput
from entrypoint.limits import LISTED_PROBLEMS
from entrypoint.model import Paths

_PACKAGE = Path(__file__).parents[1]


class Isolation(Protocol):
    """Keeps the process of a stop apart from this machine, as far as the kernel lets it.

    A protocol, since its class is in `linux/`, which the desk may not import on other systems.
    """

    @property
    def opt(self) -> bool:
        """True if the process has an /opt of its own."""

    def enter(self, opt: Path, data: Path) -> None:
        """Separate this process, in a child before exec: from the network too, if possible.

        Args:
            opt: a folder that it then sees at /opt, with the programs that are there.
            data: a folder that it then sees at /opt/train_data, read-only.
        """


def visit(
    plan: Plan,
    isolation: Isolation,
    paths: Paths,
    data: Path,
    log: Path,
    watch: Callable[[], None],
) -> VisitResult:
    """Make a whole visit.

    When this is interrupted, the runner is told to end and is gone afterwards.

    Args:
        plan: has the command of the train and its working folder.
        isolation: keeps the runner's process apart from this machine.
        paths: of the root.
        data: the station's folder of data.
        log: takes the output of the runner and the train.
        watch: see `wait`.
    """
    arguments = ["run", "--root", str(paths.root), "--", *plan.command]
    folder = paths.root / (plan.workdir or "/").lstrip("/")
    began = time.monotonic()
    # Appended to, since the train may open its output again by the name /dev/stdout.
    with _data_at(isolation, paths, data) as place, log.open("ab") as file:
        status = wait(
            subprocess.Popen(
                [sys.executable, "-I", "-B", str(_PACKAGE), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=_environment(data_path(data, place)),
                cwd=folder,
                preexec_fn=functools.partial(isolation.enter, paths.opt, data.resolve()),
            ),
            watch,
        )
    return VisitResult(status=status, seconds=time.monotonic() - began, log=read_log(log))


@contextlib.contextmanager
def _data_at(isolation: Isolation, paths: Paths, data: Path) -> Iterator[Path]:
    """Yield the folder at which the train sees its data, which it cannot change.

    Without an /opt of its own it gets a copy, also of what links lead to, that is removed.
    """
    paths.data.mkdir()
    if isolation.opt:
        yield Paths(Path("/")).data
        _remove_mount_points(paths)
        return
    try:
        _copy_data(data, paths.data)
        for path in (paths.data, *paths.data.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o222)
        yield paths.data
    finally:
        for folder, _, _ in os.walk(paths.data):
            os.chmod(folder, 0o700)
        shutil.rmtree(paths.data)


def _copy_data(data: Path, copy: Path) -> None:
    """Copy what is in a folder of data; raises MissingInput, which names what cannot be read."""
    try:
        shutil.copytree(data, copy, ignore_dangling_symlinks=True, dirs_exist_ok=True)
    except shutil.Error as error:
        problems = [reason for _, _, reason in error.args[0]]
        raise MissingInput(
            "data-not-copied",
            f"the data in {data} cannot be copied for the train, which must not change them",
            hint="move away what is no file, or what you may not read; or start again with --image",
            problems=problems[:LISTED_PROBLEMS],
        ) from None


def _remove_mount_points(paths: Paths) -> None:
    """Remove the empty folders in which the runner's process saw folders of this machine."""
    for folder in paths.opt.iterdir():
        if folder not in (paths.train, paths.results) and folder.is_dir():
            with contextlib.suppress(OSError):  # not empty: of a visit that was killed
                folder.rmdir()


def _environment(data: str) -> dict[str, str]:
    """Return a clean environment in which `python` is the interpreter that runs this."""
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return {
        "PATH": os.pathsep.join(programs),
        "HOME": str(Path.home()),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "TRAIN_DATA_PATH": data,
        "PHT_LOG": "json",
        "PHT_ALLOW_UNPROTECTED_KEY": "1",  # the keys of a simulation are thrown away
    }

"""A simulated visit in a container, driven through the `docker` client.

The container has the protections of a visit at a station, so that the author notices a train that
does not work with them. The train is copied in and out: the container shares only data and settings
with this machine, whoever its user is.
"""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, cast

from entrypoint.author.container_options import OPTIONS
from entrypoint.author.engine import PROXIES, call_docker, docker, last_lines
from entrypoint.author.plan import Plan
from entrypoint.author.stop import data_path, wait
from entrypoint.author.visit_result import VisitResult, read_log
from entrypoint.errors import SystemFailure, UsageError
from entrypoint.model import Paths

_STATION, _DATA = "/run/pht", "/opt/train_data"
"""The paths of the station folder and of the data in a container."""


def visit_in_container(
    plan: Plan, paths: Paths, data: Path, log: Path, watch: Callable[[], None]
) -> VisitResult:
    """Make a whole visit by the ENTRYPOINT of the plan's image.

    When this is interrupted, the container is removed.

    Args:
        plan: has the master image, the command of the train and its working folder.
        paths: of the root with the train.
        data: the station's folder of data.
        log: takes the output of the runner and the train.
        watch: see `wait`.

    Raises:
        SystemFailure: the engine cannot make, fill, start or read the container.
        UsageError: the options do not go together with a simulation.
    """
    began = time.monotonic()
    with _container(plan, paths, data) as container, log.open("ab") as file:
        _check_shared(container, paths, data)
        for path in _parts(paths):
            docker("cp", str(path), f"{container}:/opt")
        status = wait(
            subprocess.Popen(
                ["docker", "start", "--attach", container],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            ),
            watch,
        )
        if docker("inspect", "--format", "{{.State.Status}}", container).strip() == "created":
            raise _refused(log.read_text("utf-8", "replace"), paths, data)
        _copy_back(container, paths)
    return VisitResult(status=status, seconds=time.monotonic() - began, log=read_log(log))


@contextlib.contextmanager
def _container(plan: Plan, paths: Paths, data: Path) -> Iterator[str]:
    """Make a container with the station's data and settings, and remove it in the end."""
    words = ["--pull", "never", *OPTIONS]
    words += [word for name in PROXIES for word in ("--env", name)]
    words += ["--workdir", plan.workdir] if plan.workdir else []
    words += ["--mount", _mount(data, _DATA), "--mount", _mount(paths.station, _STATION)]
    value = data_path(data, PurePosixPath(_DATA))
    words += ["--env", f"TRAIN_DATA_PATH={value}", *plan.engine_options, "--env", "PHT_LOG=json"]
    created = call_docker("create", *words, str(plan.image), *plan.command)
    if created.returncode != 0:
        raise _refused(created.stderr, paths, data)
    container = created.stdout.strip()
    try:
        if plan.engine_options:
            _check_options(container)
        yield container
    finally:
        call_docker("rm", "--force", "--volumes", container)


def _check_options(container: str) -> None:
    """Check that the author's options let the end of a visit be read, and its train taken out."""
    form = "{{.Config.Tty}} {{.HostConfig.AutoRemove}}"
    if docker("inspect", "--format", form, container).strip() != "false false":
        raise UsageError(
            "engine-options-unsuitable",
            "with -t or --rm nobody could read the log of the visit, or take the train out",
            hint="leave both out of the options behind --",
        )


def _check_shared(container: str, paths: Paths, data: Path) -> None:
    """Check that the folders of this machine are those in the container.

    An engine may make an empty one in place of a folder that it does not see, as podman does.
    """
    entries = (path for path in data.iterdir() if path.is_file() or path.is_dir())
    samples = [(paths.station, _STATION, "station.env")]
    samples += [(data, _DATA, entry.name) for entry in islice(entries, 1)]
    for folder, target, name in samples:
        if not _has(container, f"{target}/{name}"):
            raise _not_shared(folder)


def _has(container: str, path: str) -> bool:
    """Return True if a container that has not been started has this file or folder."""
    with subprocess.Popen(
        ["docker", "cp", f"{container}:{path}", "-"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as client:
        try:
            return cast(IO[bytes], client.stdout).read(1) != b""
        finally:
            client.kill()  # there may be gigabytes behind the first byte


def _mount(source: Path, target: str) -> str:
    """Return the value of --mount, which is a line of CSV: a path may hold a comma."""
    quoted = f"source={source.resolve()}".replace('"', '""')
    return f'type=bind,"{quoted}",target={target},readonly'


def _parts(paths: Paths) -> list[Path]:
    parts = (paths.train, paths.results, paths.config, paths.user_key)
    return [part for part in parts if part.exists()]


def _copy_back(container: str, paths: Paths) -> None:
    """Replace the train by the container's."""
    for path in (paths.train, paths.results):
        shutil.rmtree(path)
    for path in (paths.train, paths.results, paths.config):
        docker("cp", f"{container}:/opt/{path.name}", str(paths.opt))
    # Absent until the first stop has been sealed, and so no failure.
    call_docker("cp", f"{container}:/opt/{paths.user_key.name}", str(paths.opt))


def _refused(said: str, paths: Paths, data: Path) -> SystemFailure:
    """Return the error of an engine that does not make or start the container of a visit."""
    for folder in (paths.station, data):
        if str(folder.resolve()) in said:
            return _not_shared(folder, last_lines(said))
    return SystemFailure(
        "container-refused",
        "the container engine refuses to make or start the container of a visit",
        hint="correct what it names: docker create gets the options between -- and --, and the "
        "image has to be a master image",
        problems=last_lines(said),
    )


def _not_shared(folder: Path, said: Sequence[str] = ()) -> SystemFailure:
    return SystemFailure(
        "folder-not-shared",
        f"the container engine does not see the folder {folder.resolve()}",
        hint="an engine from snap, in a virtual machine or on another machine sees only some "
        "folders of this one: move the data below your home directory, and set TMPDIR to a folder "
        "there, or name one with --keep; or use an engine of this machine",
        problems=said,
    )

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
from pathlib import Path

from entrypoint.author.container_options import OPTIONS
from entrypoint.author.engine import call_docker, docker
from entrypoint.author.local_visit import data_path, wait
from entrypoint.author.visit_result import VisitResult, read_log
from entrypoint.model import Paths


def visit_in_container(
    image: str, paths: Paths, command: Sequence[str], log: Path, watch: Callable[[], None]
) -> VisitResult:
    """Make a whole visit by the image's ENTRYPOINT to the train below `paths`.

    The output of the runner and the train goes to `log`; for `watch` see `wait`. When this is
    interrupted, the container is removed.

    Raises:
        SystemFailure: the engine cannot make, fill or read the container.
    """
    began = time.monotonic()
    with _container(image, paths, command) as container, log.open("ab") as file:
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
        _copy_back(container, paths)
    return VisitResult(status=status, seconds=time.monotonic() - began, log=read_log(log))


@contextlib.contextmanager
def _container(image: str, paths: Paths, command: Sequence[str]) -> Iterator[str]:
    """Make a container with the station's data and settings, and remove it in the end."""
    data = "/" + data_path(paths).relative_to(paths.root).as_posix()
    options = ["--pull", "never", *OPTIONS]
    options += ["--mount", _mount(paths.data, "/opt/train_data")]
    options += ["--mount", _mount(paths.station, "/run/pht")]
    options += ["--env", f"TRAIN_DATA_PATH={data}", "--env", "PHT_LOG=json"]
    container = docker("create", *options, image, *command).strip()
    try:
        yield container
    finally:
        call_docker("rm", "--force", "--volumes", container)


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
    call_docker(
        "cp", f"{container}:/opt/{paths.user_key.name}", str(paths.opt)
    )  # absent before the first stop

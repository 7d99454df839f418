"""One stop of a simulated route in a container, driven through the `docker` client.

The container has the protections of a visit at a station, so that a train which does not work with
them is noticed here. The train is copied in and out, so that nothing but data and settings is
shared with the container, whoever its user is.
"""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from entrypoint.author.runner import Ended, data_path, read_log, wait
from entrypoint.errors import MissingInput, SystemFailure
from entrypoint.model import Paths
from entrypoint.visit.container_options import OPTIONS


def check_image(image: str) -> None:
    """Check that there is an engine which has the image; none is fetched unasked.

    Raises:
        MissingInput: the engine does not have it.
        SystemFailure: there is no engine.
    """
    _docker("version", "--format", "{{.Server.Version}}")
    if _call("image", "inspect", image).returncode != 0:
        raise MissingInput(
            "image-missing",
            f"the container engine has no image {image}",
            hint=f"build it, or fetch it with docker pull {image}",
            by="author",
        )


def visit_in_container(image: str, paths: Paths, command: Sequence[str], log: Path) -> Ended:
    """Let the image's ENTRYPOINT make a whole visit to the train below `paths`.

    Whatever it and the train write goes to `log`. When this is interrupted, the container is gone
    afterwards.

    Raises:
        SystemFailure: the engine cannot make, fill or read the container.
    """
    began = time.monotonic()
    with _container(image, paths, command) as container, log.open("ab") as file:
        for path in _carried(paths):
            _docker("cp", str(path), f"{container}:/opt")
        status = wait(
            subprocess.Popen(
                ["docker", "start", "--attach", container],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        )
        _take(container, paths)
    return Ended(status, time.monotonic() - began, read_log(log))


@contextlib.contextmanager
def _container(image: str, paths: Paths, command: Sequence[str]) -> Iterator[str]:
    """Make a container with the station's data and settings, and remove it in the end."""
    data = "/" + data_path(paths).relative_to(paths.root).as_posix()
    options = ["--pull", "never", *OPTIONS]
    options += ["--mount", _mount(paths.data, "/opt/train_data")]
    options += ["--mount", _mount(paths.station, "/run/pht")]
    options += ["--env", f"TRAIN_DATA_PATH={data}", "--env", "PHT_LOG=json"]
    container = _docker("create", *options, image, *command).strip()
    try:
        yield container
    finally:
        _call("rm", "--force", "--volumes", container)


def _mount(source: Path, target: str) -> str:
    """Return the value of --mount, which is a line of CSV: a path may hold a comma."""
    quoted = f"source={source.resolve()}".replace('"', '""')
    return f'type=bind,"{quoted}",target={target},readonly'


def _carried(paths: Paths) -> list[Path]:
    parts = (paths.train, paths.results, paths.config, paths.user_key)
    return [part for part in parts if part.exists()]


def _take(container: str, paths: Paths) -> None:
    """Put the train as the container has left it in the place of the one that went in."""
    for path in (paths.train, paths.results):
        shutil.rmtree(path)
    for path in (paths.train, paths.results, paths.config):
        _docker("cp", f"{container}:/opt/{path.name}", str(paths.opt))
    _call("cp", f"{container}:/opt/{paths.user_key.name}", str(paths.opt))  # not before a stop


def _docker(*arguments: str) -> str:
    """Return what the client printed."""
    done = _call(*arguments)
    if done.returncode != 0:
        raise _failed(f"docker {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def _call(*arguments: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        raise _failed("there is no command docker") from None


def _failed(problem: str) -> SystemFailure:
    return SystemFailure(
        "container-engine",
        problem,
        hint="--image needs a running Docker that this user may use; without it no container does",
        by="author",
    )

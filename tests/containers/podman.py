"""Podman where a docker client is expected: behind its own `docker`, and behind its socket."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.containers.daemon import running
from tests.containers.engine import Engine, client
from tests.containers.other_engines import OtherEngines
from tests.containers.pods import CONFIGURATION

REGISTRIES = """\
[[registry]]
location = "127.0.0.1"
insecure = true
"""


def configure(folder: Path) -> dict[str, str]:
    """Write what podman needs on a machine of the tests, and return the variables for it."""
    (folder / "containers.conf").write_text(CONFIGURATION)
    (folder / "registries.conf").write_text(REGISTRIES)
    return {
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
    }


def own_docker(others: OtherEngines, folder: Path, under: Sequence[str] = ()) -> Engine:
    """Make a program `docker` in a folder that is podman, like that of the package podman-docker.

    Args:
        others: whose store it uses.
        folder: for the program.
        under: a program, with its options, that starts podman.
    """
    return _program(folder, [*under, *_podman(others)])


@contextmanager
def docker_on_socket(others: OtherEngines, folder: Path) -> Iterator[Engine]:
    """Make a program `docker` in a folder that reaches podman's socket, for the block.

    Raises:
        Unavailable: there is no client of Docker.
    """
    address = f"unix://{others.folder}/socket"
    engine = _program(folder, ["env", f"DOCKER_HOST={address}", client()])
    with running([*_podman(others), "system", "service", "--time=0", address], others.folder):
        yield engine
    (others.folder / "socket").unlink(missing_ok=True)


def _podman(others: OtherEngines) -> list[str]:
    return ["podman", *map(str, others.store())]


def _program(folder: Path, command: Sequence[str]) -> Engine:
    program = folder / "docker"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    program.chmod(0o755)
    return Engine(str(program))

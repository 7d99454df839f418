"""Podman where a docker client is expected: behind its own `docker`, and behind its socket."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.containers.daemon import podman_service
from tests.containers.engine import Engine, as_program, client
from tests.containers.other_engines import OtherEngines

CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
"""Settings of podman without an init system, with limits that every machine allows, and with logs
in the format of Kubernetes."""


def registries(address: str) -> str:
    """Return a configuration that lets podman and skopeo use a registry without encryption."""
    return f'[[registry]]\nlocation = "{address}"\ninsecure = true\n'


def configure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write what podman needs on a machine of the tests, and set the variables that name it."""
    (folder / "containers.conf").write_text(CONFIGURATION)
    (folder / "registries.conf").write_text(registries("127.0.0.1"))
    monkeypatch.setenv("CONTAINERS_CONF", str(folder / "containers.conf"))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(folder / "registries.conf"))


def own_docker(others: OtherEngines, folder: Path, under: Sequence[str] = ()) -> Engine:
    """Make a program `docker` in a folder that is podman, like that of the package podman-docker.

    Args:
        others: whose store it uses.
        folder: for the program.
        under: a program, with its options, that starts podman.
    """
    return Engine(as_program([*under, *_podman(others)], folder / "docker"))


@contextmanager
def docker_on_socket(others: OtherEngines, folder: Path) -> Iterator[Engine]:
    """Make a program `docker` in a folder that reaches podman's socket, for the block.

    Raises:
        Unavailable: there is no client of Docker.
    """
    with podman_service(_podman(others), others.folder) as address:
        command = ["env", f"DOCKER_HOST={address}", client()]
        yield Engine(as_program(command, folder / "docker"))
    (others.folder / "socket").unlink(missing_ok=True)


def _podman(others: OtherEngines) -> list[str]:
    return ["podman", *map(str, others.store())]

"""Each kind of engine with a client like Docker's, and containerd."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from subprocess import run

from tests.containers.engine import Engine, Unavailable, as_program
from tests.containers.fixtures import gvisor
from tests.engines.containerd import running_containerd
from tests.engines.host import DockerLike, Given, Host, load
from tests.engines.starting import (
    Client,
    docker,
    docker_client_of_podman,
    docker_on_btrfs,
    docker_with_remapped_users,
    folder_for_all,
    podman,
    rootless_docker,
    rootless_podman,
)
from tests.engines.users import FIRST_ID, UID

Start = Callable[[Given], AbstractContextManager[Host]]


@contextmanager
def _of_the_tests(given: Given) -> Iterator[Host]:
    driver = given.engine.must("info", "--format", "{{.Driver}}").decode().strip()
    if driver != "overlay2":
        raise Unavailable(f"the engine of the tests has the storage driver {driver}")
    yield DockerLike(given.engine, _version(given.engine), given.image)


@contextmanager
def _gvisor(given: Given) -> Iterator[Host]:
    options = gvisor(given.engine)
    said = run(["runsc", "--version"], capture_output=True, text=True, check=True).stdout
    version = f"{said.split()[2]} under Docker {_version(given.engine)}"
    yield DockerLike(given.engine, version, given.image, options=options)


def _started(
    start: Callable[[], AbstractContextManager[Client]],
    owner: int = 0,
    options: tuple[str, ...] = (),
) -> Start:
    """Return what gives a host with an engine of our own."""

    @contextmanager
    def host(given: Given) -> Iterator[Host]:
        with start() as client, folder_for_all() as folder:
            engine = Engine(as_program(client, folder / "client"), given.engine.session)
            image = load(engine, given.base)
            yield DockerLike(engine, _version(engine), image, owner, options)

    return host


def _version(engine: Engine) -> str:
    form = "{{if .Server}}{{.Server.Version}}{{else}}{{.Client.Version}}{{end}}"
    return engine.must("version", "--format", form).decode().strip()


KINDS: dict[str, Start] = {
    "Docker, overlay2": _of_the_tests,
    "Docker, vfs": _started(lambda: docker("--storage-driver=vfs")),
    "Docker, btrfs": _started(docker_on_btrfs),
    "Docker, userns-remap": _started(docker_with_remapped_users, FIRST_ID),
    "Docker, rootless": _started(rootless_docker, UID),
    "gVisor": _gvisor,
    "podman": _started(podman),
    "podman, rootless": _started(rootless_podman, UID),
    "podman, rootless, keep-id": _started(rootless_podman, FIRST_ID, ("--userns=keep-id",)),
    "podman's socket, Docker's client": _started(docker_client_of_podman),
    "containerd, ctr": running_containerd,
}
"""Functions that start a host, by the name of its engine in the table."""

NOT_RUN = {
    "Docker, rootless": "limits, which need cgroups 2",
    "podman": "SELinux; crun",
    "podman, rootless": "SELinux; crun; limits, which need cgroups 2",
    "containerd, ctr": "nerdctl, which Debian does not have",
}
"""Entries of the table's last column: features that this machine cannot test."""

NEXT = {"": "Docker, overlay2", "Docker, overlay2": "podman"}
"""The kind that a train goes to next, by the kind that it comes from; `""` is all others."""

"""Starts engines of our own, each with a store of its own, and leaves nothing of them."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.containers.daemon import own_daemon, podman_service
from tests.containers.engine import Unavailable
from tests.containers.podman import CONFIGURATION
from tests.engines.users import NAME, UID, OrdinaryUser

Client = list[str]
"""A program, with options, that is called like `docker`."""

ROOTLESSKIT = ["rootlesskit", "--net=host", "--copy-up=/etc", "--copy-up=/run"]
"""Starts a program as root of a user's own namespaces; no container needs its network."""


def program(name: str) -> str:
    """Return the path of a program; raises Unavailable without it, or without root."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None or os.geteuid() != 0:
        raise Unavailable(f"an engine of our own takes root and {name}")
    return path


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """Give a new folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="pht-"))  # podman takes paths of 50 characters
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        subprocess.run(["rm", "--recursive", "--one-file-system", folder], check=True)


@contextmanager
def docker(*options: str, under: Sequence[str] = (), owner: int = 0) -> Iterator[Client]:
    """Give the client of a Docker daemon; see `own_daemon`."""
    with own_daemon(program("dockerd"), under, options, owner) as address:
        yield [program("docker"), "--host", address]


@contextmanager
def docker_on_btrfs() -> Iterator[Client]:
    """Give the client of a Docker daemon whose store is on btrfs, in a file."""
    with folder_for_all() as folder:
        disk, store = folder / "disk", folder / "store"
        store.mkdir()
        with disk.open("wb") as file:
            file.truncate(4 << 30)
        subprocess.run([program("mkfs.btrfs"), "--quiet", disk], check=True)
        mounted = subprocess.run(["mount", "-o", "loop", disk, store], capture_output=True)
        if mounted.returncode != 0:
            raise Unavailable(f"btrfs cannot be mounted: {mounted.stderr.decode().strip()}")
        try:
            # The last `--data-root` counts.
            with docker("--storage-driver=btrfs", f"--data-root={store}") as client:
                yield client
        finally:
            subprocess.run(["umount", store], check=True)


@contextmanager
def docker_with_remapped_users() -> Iterator[Client]:
    """Give the client of a Docker daemon with `userns-remap`."""
    with folder_for_all() as folder:
        user = OrdinaryUser.create(folder)
        with docker(f"--userns-remap={NAME}", under=user.known()) as client:
            yield client


@contextmanager
def rootless_docker() -> Iterator[Client]:
    """Give the client of a Docker daemon of an ordinary user."""
    program("rootlesskit")
    with folder_for_all() as folder:
        user = OrdinaryUser.create(folder)
        # In the user's `/run` these are links to the state of the machine's own engine.
        alone = 'rm -f /run/docker /run/containerd && exec "$0" "$@"'
        under = [*user.runs(), *ROOTLESSKIT, "sh", "-c", alone]
        with docker("--rootless", under=under, owner=UID) as client:
            yield client


@contextmanager
def podman() -> Iterator[Client]:
    """Give podman, started by root."""
    with folder_for_all() as folder:
        client = _podman(folder, folder)
        try:
            yield client
        finally:
            _remove_containers(client, folder)


@contextmanager
def rootless_podman() -> Iterator[Client]:
    """Give podman, started by an ordinary user."""
    with folder_for_all() as folder:
        user = OrdinaryUser.create(folder)
        client = [*user.runs(), *_podman(folder, user.home)]
        try:
            yield client
        finally:
            _remove_containers(client, user.home)
            # It keeps the user's namespaces open.
            with suppress(FileNotFoundError):
                pid = (user.home / "libpod" / "tmp" / "pause.pid").read_text()
                os.kill(int(pid), signal.SIGKILL)


@contextmanager
def docker_client_of_podman() -> Iterator[Client]:
    """Give Docker's client for the socket of podman, started by root."""
    client = program("docker")
    with (
        podman() as command,
        folder_for_all() as folder,
        podman_service(command, folder) as address,
    ):
        yield [client, "--host", address]


def _podman(folder: Path, home: Path) -> Client:
    """Return podman with its configuration in one folder, and its store in another."""
    configuration = folder / "containers.conf"
    configuration.write_text(CONFIGURATION)
    places = [f"--root={home}/root", f"--runroot={home}/run"]
    return [
        *("env", f"CONTAINERS_CONF={configuration}"),
        *(program("podman"), "--runtime=runc", "--storage-driver=overlay", *places),
    ]


def _remove_containers(client: Client, home: Path) -> None:
    command = [*client, "rm", "--all", "--force", "--time=0"]
    subprocess.run(command, check=True, capture_output=True, cwd="/")  # any user may be there
    store = home / "root" / "overlay"
    if store.is_mount():
        subprocess.run(["umount", store], check=True)

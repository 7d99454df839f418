"""The engine of the tests: that of the machine, or one of their own."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.containers.engine import Engine, Unavailable

PATIENCE_S = 30
"""Seconds after which a daemon that does not answer is given up, or killed if it does not end."""

OPTIONS = [f"--{name}=false" for name in ("iptables", "ip6tables", "ip-forward", "ip-masq")]
OPTIONS += ["--bridge=none"]
"""No container of the tests has a network, and that of the machine is left as it is."""

RUNTIMES = {
    "runsc": [],
    "runsc-overlay": ["--overlay2=root:memory"],
    "runsc-overlay-all": ["--overlay2=all:memory"],
}
"""Beside the engine's own: gVisor and its overlays, with further options of runsc."""

RUNTIME = "PHT_TEST_RUNTIME"
"""Set to a name in RUNTIMES: all containers are started with it, unless a test names another."""


@contextmanager
def working_engine() -> Iterator[Engine]:
    """Give the engine that this machine runs, or one of our own where everything has to be there.

    An engine that DOCKER_HOST names is used in any case, and none is started unasked.

    Raises:
        Unavailable: no engine answers, or it starts containers with another runtime than RUNTIME;
            one of our own takes root and `dockerd`.
    """
    program = shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin")
    is_asked_for = os.environ.get("PHT_TEST_REQUIRE_ALL") == "1" or RUNTIME in os.environ
    is_left_alone = not is_asked_for or "DOCKER_HOST" in os.environ
    if is_left_alone or program is None or os.geteuid() != 0:
        yield connected()
        return
    with own_daemon(program) as address:
        os.environ["DOCKER_HOST"] = address
        try:
            yield connected()
        finally:
            del os.environ["DOCKER_HOST"]


def connected() -> Engine:
    """Return the engine of this machine; may raise Unavailable."""
    engine = Engine.connect()
    wanted = os.environ.get(RUNTIME)
    if wanted and engine.default_runtime() != wanted:
        raise Unavailable(f"containers of this engine are not in {wanted} unless they ask for it")
    return engine


@contextmanager
def engine_elsewhere(program: str, hidden: Path) -> Iterator[str]:
    """Give the address of an engine that has another folder in a place of this machine.

    Args:
        program: of the engine, `dockerd` or `podman`.
        hidden: the place; the engine has an empty folder there.

    Raises:
        Unavailable: it takes root and the program.
    """
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None or os.geteuid() != 0:
        raise Unavailable(f"an engine of our own takes root and {program}")
    hiding = 'mount -t tmpfs none "$0" && exec "$@"'
    under = ["unshare", "--mount", "sh", "-c", hiding, str(hidden)]
    with own_daemon(path, under) if program == "dockerd" else _podman(path, under) as address:
        yield address


@contextmanager
def _podman(program: str, under: Sequence[str]) -> Iterator[str]:
    """Like `own_daemon`, with podman behind the protocol of Docker."""
    # It refuses a path of more than 50 characters.
    with tempfile.TemporaryDirectory(prefix="pht-") as folder:
        options = [f"--root={folder}/root", f"--runroot={folder}/run", "--storage-driver=vfs"]
        with podman_service([*under, program, *options], Path(folder)) as address:
            yield address


@contextmanager
def podman_service(podman: Sequence[str], folder: Path) -> Iterator[str]:
    """Give the address of podman behind the protocol of Docker, for the block.

    Args:
        podman: the program with its options.
        folder: for the socket and the log.
    """
    address = f"unix://{folder}/socket"
    with running([*podman, "system", "service", "--time=0", address], folder):
        yield address


@contextmanager
def own_daemon(
    program: str, under: Sequence[str] = (), options: Sequence[str] = (), owner: int = 0
) -> Iterator[str]:
    """Give the address of a daemon that answers, and leave nothing of it on the disk.

    Args:
        program: its path.
        under: a program, with its options, that starts it.
        options: of the daemon, beside OPTIONS.
        owner: the user to whom its folder belongs.
    """
    folder = Path(tempfile.mkdtemp(prefix="pht-engine-"))
    folder.chmod(0o711)  # users of containers may be others than the daemon's
    os.chown(folder, owner, owner)
    address = f"unix://{folder}/socket"
    places = [f"--{name}={folder}/{name}" for name in ("data-root", "exec-root", "pidfile")]
    config = folder / "config.json"
    default = {"default-runtime": os.environ[RUNTIME]} if RUNTIME in os.environ else {}
    config.write_text(json.dumps({"runtimes": _runtimes(), **default}))
    start = [program, f"--config-file={config}", f"--host={address}"]
    command = [*under, *start, *places, *OPTIONS, *options]
    try:
        with running(command, folder):
            yield address
    finally:
        network = folder / "exec-root" / "netns" / "default"
        if network.is_mount():
            subprocess.run(["umount", network], check=True)
        subprocess.run(["rm", "--recursive", "--one-file-system", folder], check=True)


@contextmanager
def running(command: Sequence[str], folder: Path) -> Iterator[None]:
    """Run a daemon for the block, once it has made `socket` in a folder, and its log there."""
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as daemon,
    ):
        try:
            _wait_for(daemon, folder / "socket", log)
            yield
        finally:
            _end(daemon)


def _runtimes() -> dict[str, object]:
    """Return the `runtimes` of a daemon's configuration: RUNTIMES, if gVisor is installed."""
    path = shutil.which("runsc")
    # It would refuse a network namespace without a bridge.
    return {
        name: {"path": path, "runtimeArgs": ["--network=none", *options]}
        for name, options in (RUNTIMES.items() if path else ())
    }


def _wait_for(daemon: "subprocess.Popen[bytes]", socket: Path, log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while not socket.exists():  # it is made when the daemon can answer
        if daemon.poll() is not None or time.monotonic() > end:
            raise Unavailable(f"the engine does not start: {log.read_text().strip()[-500:]}")
        time.sleep(0.05)


def _end(daemon: "subprocess.Popen[bytes]") -> None:
    daemon.terminate()
    try:
        daemon.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        daemon.kill()

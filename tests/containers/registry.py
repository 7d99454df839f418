"""A registry on this machine, a real one, without encryption or password."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.containers.engine import Unavailable
from tests.station import PATIENCE_S


@contextmanager
def running_registry(folder: Path) -> Iterator[str]:
    """Run a registry for the block, and give its address, with a slash.

    Args:
        folder: an empty one, for its files.

    Raises:
        Unavailable: there is no such program.
    """
    program = shutil.which("docker-registry")
    if program is None:
        raise Unavailable("no docker-registry on the PATH")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([program, "serve", config], stdout=log, stderr=log) as process,
    ):
        try:
            _wait_for(port)
            yield f"{address}/"
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)

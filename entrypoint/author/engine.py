"""The container engine of this machine, driven through the `docker` client."""

import os
import subprocess
from collections.abc import Sequence
from typing import IO

from entrypoint.errors import MissingInput, SystemFailure
from entrypoint.limits import LISTED_PROBLEMS

PROXIES = [
    spelling
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY")
    for spelling in (name, name.lower())
]
"""Variables that the client writes, from its configuration, into every container.

`--env NAME` without a value prevents that: the container gets the client's own variable, which
`call_docker` takes away.
"""


def check_image(image: str) -> None:
    """Check that a container engine runs and has the image; the image is never pulled.

    Raises:
        MissingInput: the engine does not have it.
        SystemFailure: no engine is running.
    """
    docker("version", "--format", "{{.Server.Version}}")
    if call_docker("image", "inspect", image).returncode != 0:
        raise MissingInput(
            "image-missing",
            f"the container engine has no image {image}",
            hint=f"build it, as docs/images.md says, or fetch it with docker pull {image}",
        )


def docker(*arguments: str, stdin: IO[bytes] | None = None) -> str:
    """Run the client, by default without input, and return what it printed.

    Raises:
        SystemFailure: it is not installed, or it failed.
    """
    done = call_docker(*arguments, stdin=stdin)
    if done.returncode != 0:
        said = last_lines(done.stderr)
        raise _engine_failed(f"the command docker {arguments[0]} failed", said)
    return done.stdout


def last_lines(said: str) -> list[str]:
    """Return the last lines that the client or the engine wrote, for the problems of an error."""
    return [line for line in said.splitlines() if line.strip()][-LISTED_PROBLEMS:]


def call_docker(
    *arguments: str, stdin: IO[bytes] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the client, by default without input, and return how it ended.

    Raises:
        SystemFailure: it is not installed.
    """
    try:
        return subprocess.run(
            ["docker", *arguments],
            stdin=stdin or subprocess.DEVNULL,
            capture_output=True,
            env={name: value for name, value in os.environ.items() if name not in PROXIES},
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        raise _engine_failed("the command docker is not installed") from None


def _engine_failed(problem: str, said: Sequence[str] = ()) -> SystemFailure:
    return SystemFailure(
        "container-engine",
        problem,
        hint="correct what it says, or start Docker and allow this user to use it; pht simulate "
        "needs none without --image",
        problems=said,
    )

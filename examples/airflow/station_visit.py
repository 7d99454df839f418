"""A visit by `visit.sh`, for any scheduler: whether to try again is in the type of the error."""

import logging
import subprocess
from collections.abc import Sequence

GOES_ON = (75, 137)
"""Stopped while sealing, and killed: the same call goes on where the visit was interrupted."""

_log = logging.getLogger(__name__)


class Unfinished(Exception):
    """The visit was interrupted, and trying again goes on with it."""


class Failed(Exception):
    """The visit has ended without a sealed train, and somebody has to look at it."""


def visit(repository: str, data: str, *options: str) -> None:
    """Make a train's whole visit with `visit.sh`, which is on the PATH, and log what it says.

    Args:
        repository: of the train.
        data: the file or folder that the train computes on.
        options: of the script, such as `-p`, which pulls the train and pushes it in the end.

    Raises:
        Unfinished: it was interrupted while sealing, or killed.
        Failed: it has ended in another way than with a sealed train.
    """
    status = _run(["visit.sh", *options, "-d", data, repository])
    if status in GOES_ON:
        raise Unfinished(f"{repository}: status {status}")
    if status != 0:
        raise Failed(f"{repository}: status {status}")


def _run(command: Sequence[str]) -> int:
    """Run a command to its end, with its output in the log, and return its status."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            _log.info("%s", line.rstrip())
    return process.returncode

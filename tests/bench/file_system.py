"""Makes a file system to measure on, so that figures do not depend on that of the disk."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.containers.engine import Unavailable

_SIZE = 64 * 1024**3
_FREE_PART = 0.8
"""Maximum size, in bytes and as a part of the free space. The file is sparse."""


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """Yield a folder on a new ext4, in a file below `folder` that is removed afterwards.

    It has a journal and does not discard blocks of removed files, as at most stations. Direct I/O
    keeps its file out of the page cache.

    Raises:
        Unavailable: this user or this machine cannot make one.
    """
    if os.geteuid() != 0:
        raise Unavailable("only root can mount one")
    image, place = folder / "disk.img", folder / "disk"
    with image.open("xb") as file:
        file.truncate(min(_SIZE, int(shutil.disk_usage(folder).free * _FREE_PART)))
    with ExitStack() as stack:
        stack.callback(image.unlink)
        _run("mkfs.ext4", "-q", "-F", "-E", "nodiscard", image)
        device = _run("losetup", "--find", "--show", "--direct-io=on", image)
        stack.callback(_run, "losetup", "--detach", device)
        place.mkdir()
        _run("mount", "-t", "ext4", "-o", "noinit_itable", device, place)
        stack.callback(_run, "umount", place)
        yield place


def _run(*command: str | Path) -> str:
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise Unavailable(f"{command[0]} is missing") from None
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{command[0]}: {error.stderr.strip()}") from None
    return done.stdout.strip()

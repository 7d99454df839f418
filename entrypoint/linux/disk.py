"""Free space and limits of a file system."""

import os
import resource
import sys
from pathlib import Path


def free_bytes(folder: Path) -> int:
    """Return how many bytes this process may still write to the file system of `folder`.

    A file system without bounds of its own, such as ramfs, reports no blocks at all.

    Raises:
        OSError: `folder` is not there.
    """
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize if facts.f_blocks else sys.maxsize


def total_bytes(folder: Path) -> int:
    """Return how many bytes the file system of `folder` can hold.

    Raises:
        OSError: `folder` is not there.
    """
    facts = os.statvfs(folder)
    return facts.f_blocks * facts.f_frsize if facts.f_blocks else sys.maxsize


def free_files(folder: Path) -> int:
    """Return how many files this process may still make on the file system of `folder`.

    Many file systems do not count them.

    Raises:
        OSError: `folder` is not there.
    """
    facts = os.statvfs(folder)
    return facts.f_favail if facts.f_files else sys.maxsize


def longest_file() -> int:
    """Return how many bytes this process may write to one file (`ulimit -f`)."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit

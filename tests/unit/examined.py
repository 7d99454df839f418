"""Stations on this machine whose administrator asks the doctor."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.reference import STATIONS
from tests.station import Done, leaked, settle

LAYERS = ("uid", "caps", "landlock", "seccomp", "key-absent")


@contextmanager
def open_station() -> Iterator[Path]:
    """Yield the root folder of a station with a key; every user may enter it."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    settle(root, STATIONS[0])
    try:
        yield root
    finally:
        shutil.rmtree(root)


def table_of(done: Done) -> dict[str, dict[str, Any]]:
    """Return the rows that a doctor has printed as JSON, by their checks."""
    assert not leaked(done.stdout.decode() + done.stderr)
    return {row["check"]: row for row in json.loads(done.stdout)["checks"]}

"""Trains that are exported after their visit, and exports that are still being written."""

import subprocess
from contextlib import suppress
from pathlib import Path

from tests.station import RUNS_TRAIN, new_train, opened, settle, start, unpack, wait_until

SCRIPT = """
import os, pathlib
size = int(os.environ["SIZE"])
(pathlib.Path(os.environ["PHT_RESULTS_DIR"]) / os.environ["NAME"]).write_bytes(bytes(size))
"""


def board(root: Path, output: Path, *, size: int) -> None:
    """Lay out a train in `root` that writes a result of `size` bytes and is exported to `output`.

    The result has the name of the folder `root`.
    """
    new_train(root, SCRIPT)
    set_size(root, output, size)


def set_size(root: Path, output: Path, size: int | str) -> None:
    """Set how many bytes the train in `root` writes; it fails if this is no number."""
    settle(root, "station_1", NAME=root.name, SIZE=str(size), PHT_EXPORT=str(output))


def start_export(root: Path, output: Path) -> "subprocess.Popen[bytes]":
    """Start a visit of a large train; return when its export has written more than a megabyte."""
    process = start("run", "--", *RUNS_TRAIN, root=root)
    part = output.with_name(output.name + ".part")

    def is_large() -> bool:
        with suppress(FileNotFoundError):
            return part.stat().st_size > 1_000_000
        return False

    wait_until(is_large)
    return process


def assert_exported(output: Path, name: str, size: int) -> None:
    """Check that the folder of `output` holds nothing else, and that it is the named train's."""
    assert list(output.parent.iterdir()) == [output]
    unpacked = unpack(output, output.parent.parent / "unpacked")
    assert opened(unpacked) == {name: bytes(size)}

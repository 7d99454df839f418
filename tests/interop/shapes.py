"""Shapes of a station's data, which the train makes the shape of the results that it leaves."""

import os
from collections.abc import Callable
from pathlib import Path

NAMES = (
    *("a/z", "a-b", "a.txt", "B"),  # in this order in an archive, and in no other walk
    *("ü", "u\N{COMBINING DIAERESIS}", "\N{STEAM LOCOMOTIVE}/name with blanks", "latin-1-\udcfc"),
    *(".hidden", "line\nbreak", "l" * 200, "/".join(["deep"] * 60) + "/file"),
)


def awkward(folder: Path) -> None:
    """Names, modes and sizes at the limits."""
    for name in NAMES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
    (folder / "empty").touch()
    (folder / "empty folder").mkdir()
    (folder / "link").symlink_to("a/z")
    (folder / "a").chmod(0o2770)
    for number, mode in enumerate((0o400, 0o600, 0o666, 0o755, 0o4755)):
        path = folder / f"mode-{number}"
        path.touch()
        path.chmod(mode)


def many(folder: Path) -> None:
    """Two hundred files in some folders, and one that no side reads at once."""
    for number in range(200):
        path = folder / f"part-{number % 7}" / f"{number}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(number * 97))
    (folder / "model.bin").write_bytes(os.urandom(5 * 1024 * 1024 + 1))


def one(folder: Path) -> None:
    """One small file, which other stops may have left with other contents."""
    (folder / "a.txt").write_bytes(b"1.5")


def none(folder: Path) -> None:
    """No file at all."""
    (folder / "empty folder").mkdir()


def linked(folder: Path) -> None:
    """Files with several names."""
    (folder / "best.bin").write_bytes(b"weights")
    os.link(folder / "best.bin", folder / "epoch-3.bin")
    (folder / "other.txt").write_bytes(b"after the links")


SHAPES: tuple[Callable[[Path], None], ...] = (awkward, many, one, none, linked)

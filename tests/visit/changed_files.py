"""Changes of the files of a train, and files beside the signed ones."""

import os
from collections.abc import Callable
from pathlib import Path


def change_byte(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def swap_files(folder: Path, one: str, other: str) -> None:
    (folder / one).rename(folder / "aside")
    (folder / other).rename(folder / one)
    (folder / "aside").rename(folder / other)


def beside(name: str) -> Callable[[Path], object]:
    """Return a change that puts a file beside the listed ones."""

    def change(train: Path) -> None:
        (train / name).parent.mkdir(parents=True, exist_ok=True)
        (train / name).write_bytes(b"import evil")

    return change


def link_to_listed(train: Path) -> None:
    (train / "B.txt").rename(train.parent / "B.txt")
    (train / "B.txt").symlink_to("../B.txt")


def folder_by_link(train: Path) -> None:
    (train / "a").rename(train.parent / "elsewhere")
    (train / "a").symlink_to("../elsewhere")


def folder_in_place(train: Path) -> None:
    (train / "B.txt").unlink()
    (train / "B.txt").mkdir()


def cache_by_link(train: Path) -> None:
    (train / "__pycache__").mkdir()
    (train / "__pycache__" / "x.pyc").symlink_to("/etc/hostname")


def fifo_in_place(train: Path) -> None:
    (train / "B.txt").unlink()
    os.mkfifo(train / "B.txt")


PLANTED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a module": (beside("numpy.py"), "numpy.py"),
    "a module in a folder": (beside("a/json.py"), "a/json.py"),
    "a hidden file": (beside(".pth"), ".pth"),
    "a compiled module that is no cache": (beside("numpy.pyc"), "numpy.pyc"),
    "another file in a cache": (beside("__pycache__/evil.so"), "__pycache__/evil.so"),
    "a folder in a cache": (beside("__pycache__/a/b.pyc"), "__pycache__/a/b.pyc"),
    "an undecodable name": (beside(os.fsdecode(b"\xff")), "\\udcff"),
    "a name that fakes a line": (beside("x\npht: result=visited"), "x\\npht: result=visited"),
    "a listed name in other Unicode": (beside("u\u0308.txt"), "u\u0308.txt"),
    "a symlink": (lambda train: (train / "x").symlink_to("/etc"), "x is a symlink"),
    "a symlink as a cache": (cache_by_link, "__pycache__/x.pyc is a symlink"),
    "a FIFO": (lambda train: os.mkfifo(train / "pipe"), "pipe is a special file"),
    "a symlink in place of a file": (link_to_listed, "B.txt is a symlink"),
    "a symlink in place of a folder": (folder_by_link, "a is a symlink"),
    "a FIFO in place of a file": (fifo_in_place, "B.txt is a special file"),
    "a folder in place of a file": (folder_in_place, "B.txt is missing"),
}
"""Additions to the folder of a train, and the words by which a refusal names them."""

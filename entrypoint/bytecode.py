"""Modules in one file, as master images have them: the runner's, and those of the base it imports.

To find and read two hundred files in the layers of an image takes a tenth of an empty visit. What
is imported for this module itself is read from such files, and so it imports next to nothing.
"""

import marshal
import mmap
import os
import sys
from _frozen_importlib import ModuleSpec

TYPE_CHECKING = False  # that of `typing`, which is in the file
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Any

    Index = dict[str, tuple[str, tuple[int, int] | None, int, int]]

_NUMBER_BYTES = 8  # of each length at the start of the file: of all of it, and of its index


def use(home: str) -> None:
    """Import from the file in the folder `home`, if it is whole and for this Python."""
    try:
        with open(f"{home}/{file_name()}", "rb") as file:
            # Private, because not every file system lets what it holds be shared.
            mapped = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    except (OSError, ValueError):  # there is none, or an empty one
        return
    data = memoryview(mapped)
    head = 2 * _NUMBER_BYTES
    whole = int.from_bytes(data[:_NUMBER_BYTES], "big")
    codes = head + int.from_bytes(data[_NUMBER_BYTES:head], "big")
    if whole != len(data):
        return
    library, index = marshal.loads(data[head:codes])
    if library == _library():
        sys.meta_path.insert(0, _Finder(index, data[codes:]))


def pack(index: "Index", codes: bytes) -> bytes:
    """Return what the file holds.

    Args:
        index: for each full name the path of the source, the stamp that this must have or None, and
            where the bytecode begins and ends.
        codes: the bytecode of all modules.
    """
    head = marshal.dumps((_library(), index))
    whole = 2 * _NUMBER_BYTES + len(head) + len(codes)
    numbers = (number.to_bytes(_NUMBER_BYTES, "big") for number in (whole, len(head)))
    return b"".join(numbers) + head + codes


def _library() -> str:
    """Return where the standard library is; a copy elsewhere is another one."""
    return os.path.dirname(os.__file__)


def file_name() -> str:
    """Return what the file of this version of Python is called."""
    return f"modules.{sys.implementation.cache_tag}"


def stamp(source: str) -> tuple[int, int] | None:
    """Return what tells a file from its successor, or None without one: whole seconds, bytes."""
    try:
        found = os.stat(source)
    except OSError:
        return None
    return int(found.st_mtime), found.st_size


class _Finder:
    """Finds and loads modules by their bytecode.

    Args:
        index: as in `pack`.
        codes: too.
    """

    def __init__(self, index: "Index", codes: memoryview) -> None:
        self._index = index
        self._codes = codes

    def find_spec(
        self, name: str, path: "Sequence[str] | None", target: "ModuleType | None" = None
    ) -> ModuleSpec | None:
        """Return how to load a module, None if it is not in the file or its source has changed."""
        if name not in self._index:
            return None
        source, expected, _, _ = self._index[name]
        if expected and stamp(source) != expected:
            return None
        loader: Any = self  # what `importlib.abc` has for a base takes long to import
        spec = ModuleSpec(name, loader, origin=source)
        spec.has_location = True
        folder, file = os.path.split(source)
        if file == "__init__.py":
            # Libraries of a package are files of their own.
            spec.submodule_search_locations = [folder]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to Python to make the module."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module."""
        _, _, start, end = self._index[module.__name__]
        exec(marshal.loads(self._codes[start:end]), vars(module))

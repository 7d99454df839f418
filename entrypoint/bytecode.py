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
    from collections.abc import Mapping, Sequence
    from types import ModuleType
    from typing import Any

HEAD_BYTES = 4
"""At the start of the file: the length of its index, big-endian."""

_COMPRESSIONS = ("bz2", "lzma", "zlib")
"""What `shutil` loads if it can; but nothing of a train is compressed."""


def use(home: str) -> None:
    """Import from the file in the folder `home`, if this version of Python is the one it is for."""
    try:
        with open(f"{home}/{file_name()}", "rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
    except FileNotFoundError:
        return
    end = HEAD_BYTES + int.from_bytes(data[:HEAD_BYTES], "big")
    sys.meta_path.insert(0, _Finder(marshal.loads(data[HEAD_BYTES:end]), data[end:]))


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
        index: for each full name the path of the source, the stamp that this must have or None, and
            where the bytecode begins and ends.
        codes: the bytecode of all modules.
    """

    def __init__(
        self,
        index: "Mapping[str, tuple[str, tuple[int, int] | None, int, int]]",
        codes: memoryview,
    ) -> None:
        self._index = index
        self._codes = codes

    def find_spec(
        self, name: str, path: "Sequence[str] | None", target: "ModuleType | None" = None
    ) -> ModuleSpec | None:
        """Return how to load a module, None if it is not in the file or its source has changed.

        Raises:
            ModuleNotFoundError: it is not needed, and takes long.
        """
        if name in _COMPRESSIONS:
            raise ModuleNotFoundError(name=name)
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

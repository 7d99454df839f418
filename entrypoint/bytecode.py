"""The runner's modules in one file, as master images have them.

To find and read a hundred files in the layers of an image takes a twentieth of an empty visit.
"""

import marshal
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def use(home: str) -> None:
    """Import from the file in the folder `home`, if this version of Python is the one it is for."""
    try:
        with open(f"{home}/modules.{sys.implementation.cache_tag}", "rb") as file:
            modules = marshal.loads(file.read())
    except FileNotFoundError:
        return
    sys.meta_path.insert(0, _Finder(modules))


class _Finder:
    """Finds and loads modules by their bytecode.

    Args:
        modules: for each full name the path of the source, and the bytecode.
    """

    def __init__(self, modules: Mapping[str, tuple[str, bytes]]) -> None:
        self._modules = modules

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load a module, None if it is not in the file."""
        if name not in self._modules:
            return None
        source, _ = self._modules[name]
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

    def exec_module(self, module: ModuleType) -> None:
        """Run the module."""
        _, code = self._modules[module.__name__]
        exec(marshal.loads(code), vars(module))

"""Checks that trains cannot change what the runner loads from the base image.

`check_base.py IMAGE HOME`: the folder in which the image is laid out, and the runner's folder in
it. Started like the runner, it imports all modules of the runner, and ends with a message if one
of them, the interpreter or a shared library lies below /opt. Otherwise it prints the source files
of the base whose import was tried, one a line: of those that fail too, as `lzma` where its library
is missing.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def main() -> None:
    """Import, check and print."""
    tried: set[str] = set()

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "import":
            tried.add(arguments[0])

    sys.addaudithook(note)
    image, home = sys.argv[1:]
    runner = f"{image}{home}"
    sys.path += [runner, f"{runner}/site"]
    for module in pkgutil.walk_packages([f"{runner}/entrypoint"], "entrypoint."):
        if module.name != "entrypoint.__main__":  # it would run
            importlib.import_module(module.name)
    _refuse_what_trains_can_change()
    specs = [getattr(module, "__spec__", None) for module in sys.modules.values()]
    specs += _find_specs(tried - sys.modules.keys())
    found = [spec.origin for spec in specs if spec and _has_bytecode_file(spec)]
    print(*sorted({path for path in found if path and not path.startswith(runner)}), sep="\n")


def _find_specs(names: Iterable[str]) -> Iterator[ModuleSpec | None]:
    """Yield the specifications of modules that exist."""
    for name in names:
        with suppress(ImportError, ValueError):
            yield find_spec(name)


def _has_bytecode_file(spec: ModuleSpec) -> bool:
    """Return whether a module is read from a .pyc file: not if it is built in, frozen or in C."""
    return spec.cached is not None


def _refuse_what_trains_can_change() -> None:
    """End with a message if something that is loaded, or a folder of modules, lies below /opt."""
    modules = [getattr(module, "__file__", None) for module in sys.modules.values()]
    maps = Path("/proc/self/maps").read_text().splitlines()
    libraries = [line[line.index("/") :] for line in maps if "/" in line]
    used = [sys.executable, sys.prefix, sys.base_prefix, *sys.path, *filter(None, modules)]
    for path in map(Path, [*used, *libraries]):
        for place in (path, path.resolve()):
            if place.is_relative_to("/opt"):
                sys.exit(
                    f"the Python of the base image uses {place}, but below /opt trains can change "
                    "what the runner loads: put a Python that uses nothing there first on the "
                    "PATH; the commands of trains may still name the one below /opt"
                )


if __name__ == "__main__":
    main()

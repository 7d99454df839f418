"""Puts the bytecode of what a station's commands import in the file of `entrypoint/bytecode.py`.

`gather.py IMAGE HOME`, with the folder that an image is laid out in, and the one in it that holds
the runner; started like the runner itself, so that it finds the modules of this Python that the
runner will load. It prints the sources of those that are loaded before that file can be read, or
ends with a message if a train could change what the runner loads.
"""

import sys

image, home = sys.argv[1:]
sys.path[:0] = [f"{image}{home}", f"{image}{home}/site"]
from entrypoint import bytecode  # noqa: E402 - it is in the image

early = set(sys.modules)

import importlib  # noqa: E402 - which is not needed for that
import marshal  # noqa: E402
import pkgutil  # noqa: E402
from collections.abc import Iterable  # noqa: E402
from pathlib import Path  # noqa: E402


def sources(names: set[str]) -> dict[str, str]:
    """Return for each of these modules where its source is, unless it has none."""
    found = {}
    for name in sorted(names - {"__main__"}):
        module = sys.modules[name]
        # A frozen module is compiled into the interpreter, although it names a file too.
        frozen = getattr(getattr(module, "__spec__", None), "origin", None) == "frozen"
        source = getattr(module, "__file__", None)
        if source and source.endswith(".py") and not frozen:
            found[name] = source
    return found


def gather(modules: dict[str, str]) -> bytes:
    """Return the file with the bytecode of these modules."""
    index = {}
    codes = b""
    for name, source in modules.items():
        path = source.removeprefix(image)
        code = marshal.dumps(compile(Path(source).read_bytes(), path, "exec"))
        # What is of the base stays bound to its source, which an image built on top may exchange.
        expected = bytecode.stamp(source) if path == source else None
        index[name] = path, expected, len(codes), len(codes) + len(code)
        codes += code
    return bytecode.pack(index, codes)


def refuse_what_trains_can_change(files: Iterable[str]) -> None:
    """End if the interpreter is, or has loaded, or looks for modules, where trains can write.

    Args:
        files: the sources of the modules that are loaded.
    """
    maps = Path("/proc/self/maps").read_text().splitlines()
    libraries = [line[line.index("/") :] for line in maps if "/" in line]
    used = (sys.executable, sys.prefix, sys.base_prefix, *sys.path, *files, *libraries)
    for place in [*map(Path, used), *(Path(path).resolve() for path in used)]:
        if place.is_relative_to("/opt"):
            sys.exit(
                f"the Python of the base image uses {place}, but below /opt trains can change what "
                "the runner loads: put a Python that uses nothing there first on the PATH; "
                "the commands of trains may still name the one below /opt"
            )


for module in pkgutil.walk_packages([f"{image}{home}/entrypoint"], "entrypoint."):
    if not module.name.startswith(("entrypoint.__main__", "entrypoint.author")):
        importlib.import_module(module.name)
late = sources(set(sys.modules) - early)
refuse_what_trains_can_change([*sources(early).values(), *late.values()])
Path(f"{image}{home}", bytecode.file_name()).write_bytes(gather(late))
print(*sources(early).values(), sep="\n")

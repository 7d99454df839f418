"""Prints the sources of all modules that a station's commands import.

`imported.py HOME`, with the folder that holds the runner; started like the runner itself, so that
it names the modules of this Python that the runner will load.
"""

import importlib
import pkgutil
import sys

home = sys.argv[1]
sys.path[:0] = [home, f"{home}/site"]
package = importlib.import_module("entrypoint")
for found in pkgutil.walk_packages(package.__path__, "entrypoint."):
    if not found.name.startswith(("entrypoint.__main__", "entrypoint.author")):
        importlib.import_module(found.name)

for name, module in list(sys.modules.items()):
    # A frozen module is compiled into the interpreter, although it names a file too.
    frozen = getattr(getattr(module, "__spec__", None), "origin", None) == "frozen"
    source = getattr(module, "__file__", None)
    if name != "__main__" and source and source.endswith(".py") and not frozen:
        print(source)

"""Does every job of some modules in a process of its own and prints one JSON line for each."""

import importlib
import inspect
import json
import multiprocessing
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

PATIENCE_S = 30


def jobs(module: str) -> dict[str, Callable[[], None]]:
    """Return the jobs of a module of this package, by name."""
    found = importlib.import_module(f"{__package__}.{module}")
    return {
        f"{module}.{name}": function
        for name, function in inspect.getmembers(found, inspect.isfunction)
        if function.__module__ == found.__name__ and not name.startswith("_")
    }


def main(modules: Sequence[str]) -> None:
    """Do all jobs of some modules."""
    for module in modules:
        for name, job in jobs(module).items():
            print(json.dumps({"job": name, "problem": _problem(job)}), flush=True)


def _problem(job: Callable[[], None]) -> str:
    """Do a job and return how it failed; nothing if it did not."""
    with tempfile.NamedTemporaryFile() as file:
        told = Path(file.name)
        process = multiprocessing.get_context("fork").Process(target=_do, args=(job, told))
        process.start()
        process.join(PATIENCE_S)
        if process.is_alive():
            process.kill()
            process.join()
        return told.read_text() or (process.exitcode and f"exit code {process.exitcode}") or ""


def _do(job: Callable[[], None], told: Path) -> None:
    try:
        job()
    except Exception:
        told.write_text(traceback.format_exc())

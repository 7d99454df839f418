"""Finds imports and output in the source of the package, without running it."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Package = Mapping[str, ast.Module]
"""The modules of the package, parsed, by their full names."""

STANDARD_STREAMS = {"sys.stdout", "sys.stderr"}


@dataclass(frozen=True)
class Import:
    """One module that an import statement names.

    Attributes:
        target: the full name of the module.
        line: where the statement stands.
        deferred: whether it stands in a function, or is for type checkers, so that loading the
            module does not run it.
    """

    target: str
    line: int
    deferred: bool


def read_package(folder: Path) -> dict[str, ast.Module]:
    """Parse every module below the folder of the package."""
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        modules[name] = ast.parse(path.read_text("utf-8"), path)
    return modules


def imports(module: ast.Module, package: Package) -> Iterator[Import]:
    """Yield every import of a module, also those within functions and conditions."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    outer = [
        node for node in ast.walk(module) if isinstance(node, functions) or _is_for_checkers(node)
    ]
    deferred = {inner for node in outer for inner in ast.walk(node)}
    for node in ast.walk(module):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for target in _targets(node, package):
                yield Import(target, node.lineno, node in deferred)


def _is_for_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _targets(node: ast.Import | ast.ImportFrom, package: Package) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    assert node.level == 0, f"line {node.lineno}: a relative import; write it in full"
    for alias in node.names:
        # `from entrypoint import tree` means the module; `… import __version__` the package.
        inner = f"{node.module}.{alias.name}"
        yield inner if inner in package else str(node.module)


def loaded_by(start: str, package: Package, *, deferred: bool) -> dict[str, str]:
    """Return every module that is loaded with `start`, each with the way that leads to it.

    Args:
        start: a module of the package.
        package: all of it.
        deferred: whether imports within functions count too.
    """
    ways = {start: start}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        for target in _loaded_at_once(name, package, deferred):
            if target not in ways:
                ways[target] = f"{ways[name]} > {target}"
                if target in package:
                    waiting.append(target)
    return ways


def _loaded_at_once(name: str, package: Package, deferred: bool) -> Iterator[str]:
    parent, _, _ = name.rpartition(".")
    if parent:
        yield parent  # a package is always loaded before what it holds
    for found in imports(package[name], package):
        if deferred or not found.deferred:
            yield found.target


def output(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield every place that prints or names a standard stream: its line, and what stands there."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "print" or called.endswith(("stdout.write", "stderr.write")):
                yield node.lineno, f"{called}()"
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in STANDARD_STREAMS:
            yield node.lineno, ast.unparse(node)

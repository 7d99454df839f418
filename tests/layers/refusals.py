"""Where the package raises an error, and how that is worded, read from its source."""

import ast
from collections.abc import Iterator
from pathlib import Path

from entrypoint import errors
from tests.layers.source import read_package

CLASSES = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.PhtError)
}


PACKAGE = read_package(Path(__file__).parents[2] / "entrypoint")


def refusals() -> Iterator[tuple[str, list[str]]]:
    """Yield where an error is made, and its code and message as far as they are literal."""
    for name, module in PACKAGE.items():
        for _, call in makings(module):
            yield f"{name}:{call.lineno}", [_text(argument) for argument in call.args]


def makings(module: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls that make an error, with its class, or the base of a subclass of its own."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).split(".")[-1]
            if name in CLASSES:
                yield name, node
        elif isinstance(node, ast.ClassDef):
            calls = [inner for inner in ast.walk(node) if isinstance(inner, ast.Call)]
            for base in CLASSES & set(map(ast.unparse, node.bases)):
                yield from ((base, c) for c in calls if ast.unparse(c.func) == "super().__init__")


def _text(node: ast.expr) -> str:
    """Return a string as written; `…` stands for what is only known when the program runs."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    return "…"

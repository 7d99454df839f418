"""How refusals are worded, wherever the package raises one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from entrypoint import errors
from tests.layers.source import read_package

CLASSES = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.PhtError)
}
KEBAB_CASE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
PACKAGE = read_package(Path(__file__).parents[2] / "entrypoint")


def refusals() -> Iterator[tuple[str, list[str]]]:
    """Yield where an error is made, and its code and message as far as they are literal."""
    for name, module in PACKAGE.items():
        for call in _makings(module):
            yield f"{name}:{call.lineno}", [_text(argument) for argument in call.args]


def _makings(module: ast.Module) -> Iterator[ast.Call]:
    """Yield the calls that make an error, and those by which a subclass says its own code."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in CLASSES:
            yield node
        elif isinstance(node, ast.ClassDef) and CLASSES & set(map(ast.unparse, node.bases)):
            calls = (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))
            yield from (call for call in calls if ast.unparse(call.func) == "super().__init__")


def _text(node: ast.expr) -> str:
    """Return a string as written; `…` stands for what is only known when the program runs."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    return "…"


def test_codes_are_in_kebab_case() -> None:
    codes = {where: texts[0] for where, texts in refusals() if texts}
    assert codes
    assert {
        where: code
        for where, code in codes.items()
        if code != "…" and not KEBAB_CASE.fullmatch(code)
    } == {}


def test_messages_are_lower_case_without_a_full_stop() -> None:
    messages = {where: texts[1] for where, texts in refusals() if len(texts) > 1}
    assert messages
    # A name in capitals, as RSA_STATION_PRIVATE_KEY, may come first.
    wrong = re.compile(r"[A-Z][a-z].*|.*\.")
    assert {where: text for where, text in messages.items() if wrong.fullmatch(text)} == {}

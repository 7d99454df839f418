"""Find every error that the package can raise, by reading its source."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from entrypoint import errors
from tests.docs.pages import ROOT
from tests.docs.variants import variants
from tests.docs.wording import Code, Place, literal
from tests.layers.source import read_package

ROLES = ("station", "author", "user", "runner", errors.OPERATOR)


@dataclass(frozen=True)
class Raised:
    """One place that makes an error; texts are listed in all wordings that can be told."""

    code: str
    error: type[errors.PhtError]
    messages: tuple[str, ...]
    hints: tuple[str, ...]
    by: tuple[str, ...]
    retry: bool


@cache
def raised() -> tuple[Raised, ...]:
    """Return an error for each code of each place that makes one, without those passed on."""
    package = read_package(ROOT / "entrypoint")
    code = Code(package)
    made = [error for place, kind in _makings(code) for error in _read(code, place, kind)]
    return (*made, _before_all(package["entrypoint.__main__"]))


def _before_all(start: ast.Module) -> Raised:
    """Return the error of an old Python, which could not read the module of the errors."""
    texts = [text for node in ast.walk(start) if (text := literal(node))]
    [(message, code)] = re.findall(r"error: (.*) \[([a-z-]+)\]", "\n".join(texts))
    [hint] = re.findall(r"^hint: (.*)", "\n".join(texts), re.MULTILINE)
    return Raised(code, errors.SystemFailure, (message,), (hint,), ("station",), False)


def _makings(code: Code) -> Iterator[tuple[Place, type[errors.PhtError]]]:
    """Yield the calls that give an error its code, and the class of the error."""
    for place in code.calls:
        kind = code.value(place.module, place.callee)
        if place.callee == "super().__init__":
            kind = code.value(place.module, place.owner)
        if not (isinstance(kind, type) and issubclass(kind, errors.PhtError)):
            continue
        builds_itself = "__init__" in vars(kind) and kind is not errors.PhtError
        if builds_itself == (place.callee == "super().__init__"):
            yield place, kind


def _read(code: Code, place: Place, kind: type[errors.PhtError]) -> Iterator[Raised]:
    arguments = {keyword.arg: keyword.value for keyword in place.call.keywords}
    for name, value in zip(("code", "message"), place.call.args, strict=False):
        arguments[name] = value
    told = [arguments[name] for name in ("code", "message", "hint", "by") if name in arguments]
    for variant in variants(code, place, told):
        wordings = {name: tuple(code.texts(value, variant)) for name, value in arguments.items()}
        by = tuple(role for role in wordings.get("by", ()) if role in ROLES)
        for name in wordings["code"]:
            if name.islower():  # else it is one that another error had
                yield Raised(
                    name,
                    kind,
                    wordings["message"],
                    wordings["hint"],
                    by or (kind.default_by,),
                    "retry" in arguments and ast.unparse(arguments["retry"]) == "True",
                )

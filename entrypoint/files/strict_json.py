"""Parses JSON strictly, so that every reader of a document sees the same values."""

import json
import math
import re
from typing import Any, NoReturn

Document = dict[str, Any]

# Possessive quantifier, and the closing quote is optional: linear time on any input.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


class BadJson(ValueError):
    """A document is not strict JSON; the message continues a sentence that begins with its name."""


def parse_json(data: bytes, max_depth: int, max_values: int | None = None) -> Any:
    """Return the value in `data`.

    Args:
        data: the document.
        max_depth: maximum nesting of arrays and objects.
        max_values: maximum number of commas and opening brackets; None if the size bounds memory.

    Raises:
        BadJson: too deep, with too many values, not UTF-8 or with a byte order mark, with a
            repeated key, NaN or infinity.
    """
    if _depth(data) > max_depth:
        raise BadJson(f"is nested deeper than {max_depth} levels")
    if max_values is not None and sum(map(data.count, (b",", b"[", b"{"))) > max_values:
        raise BadJson("holds too many values")

    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_without_duplicates,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError:
        raise BadJson("is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadJson(
            f"is not JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}"
        ) from None
    except BadJson:
        raise
    except ValueError:  # an integer with too many digits
        raise BadJson("has a huge number") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Document:
    document: Document = {}
    for name, value in pairs:
        if name in document:
            raise BadJson(f"has the key {name!r} twice")
        document[name] = value
    return document


def _no_constant(name: str) -> NoReturn:
    raise BadJson(f"holds {name}, which is not JSON")


def _finite(text: str) -> float:
    """Return a number; refuse one that overflows to infinity, which JSON cannot express."""
    value = float(text)
    if math.isinf(value):
        raise BadJson("has a huge number")
    return value


def _depth(data: bytes) -> int:
    """Return the depth of nested brackets; the decoder would exhaust the stack."""
    depth = deepest = 0
    for token in _STRING_OR_BRACKET.finditer(data):
        first = data[token.start()]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest

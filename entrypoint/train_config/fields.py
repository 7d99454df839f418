"""Strict reading of JSON, and of fields out of it, collecting every problem before refusing.

Bounds and types are checked here, so that the generations only say which fields they have.
"""

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from entrypoint.crypto.keys import BadKey, PublicKey, load_public_key
from entrypoint.errors import MalformedTrain
from entrypoint.limits import CONFIG_DEPTH, CONFIG_PROBLEMS
from entrypoint.model import WORK_NAME

Document = dict[str, Any]

# Possessive, and content with a string that never ends: linear time on any input.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_HINT = "the file did not come out of a builder or a station like this; get the image again"


def parse_json(data: bytes) -> Document:
    """Return the JSON object in `data`.

    Raises:
        MalformedTrain: too deep, not UTF-8, a byte order mark, a key twice, NaN or infinity,
            not an object.
    """
    if _depth(data) > CONFIG_DEPTH:
        raise malformed(f"is nested deeper than {CONFIG_DEPTH} levels")
    try:
        document = json.loads(
            data.decode(),
            object_pairs_hook=_without_duplicates,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError:
        raise malformed("is not UTF-8") from None
    except json.JSONDecodeError as error:
        problem = f"is not JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}"
        raise malformed(problem) from None
    except ValueError as error:  # of the hooks below, or an integer of too many digits
        raise malformed(
            str(error) if isinstance(error, _Refused) else "has a huge number"
        ) from None
    if not isinstance(document, dict):
        raise malformed("is not a JSON object")
    return document


class _Refused(ValueError):
    """Raised inside the JSON decoder by our own hooks."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Document:
    document: Document = {}
    for name, value in pairs:
        if name in document:
            raise _Refused(f"has the key {name!r} twice")
        document[name] = value
    return document


def _no_constant(name: str) -> NoReturn:
    raise _Refused(f"holds {name}, which is not JSON")


def _finite(text: str) -> float:
    """Return a number that can be written again: an infinite one would become no JSON."""
    value = float(text)
    if math.isinf(value):
        raise _Refused("has a huge number")
    return value


def _depth(data: bytes) -> int:
    """Return how deep brackets nest; the decoder itself would exhaust the stack first."""
    depth = deepest = 0
    for token in _STRING_OR_BRACKET.finditer(data):
        first = data[token.start()]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest


def malformed(problem: str) -> MalformedTrain:
    """Return the refusal of a configuration that has this problem."""
    return MalformedTrain("config-malformed", f"train_config.json {problem}", hint=_HINT)


def encode(document: Document) -> bytes:
    """Return a document as the published packages write it into a container."""
    return json.dumps(document, indent=2).encode()


class _Problems:
    """What is wrong with a document: for each field the first problem.

    Only so many are kept as are shown: a hostile file has room for millions.
    """

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.too_many = False

    def add(self, name: str, problem: str) -> None:
        if len(self.found) < CONFIG_PROBLEMS:
            self.found.setdefault(name, f"{name} {problem}")
        elif name not in self.found:
            self.too_many = True


class Fields:
    """The fields of one JSON object, read with their types.

    A field that is not as it must be is noted, a harmless value of the right type is returned, and
    the block of `collecting()` raises one error with all notes at its end.
    """

    def __init__(self, document: Document, problems: _Problems, prefix: str = "") -> None:
        self._document = document
        self._problems = problems
        self._prefix = prefix

    @classmethod
    @contextmanager
    def collecting(cls, document: Document) -> Iterator["Fields"]:
        """Give the fields of `document`; afterwards raise MalformedTrain if any was bad."""
        problems = _Problems()
        yield cls(document, problems)
        if problems.found:
            count = len(problems.found)
            raise MalformedTrain(
                "config-malformed",
                f"train_config.json has {'more than ' if problems.too_many else ''}{count} bad "
                f"field{'s' if count > 1 else ''}",
                hint=_HINT,
                problems=[*problems.found.values()],
            )

    def note(self, name: str, problem: str) -> None:
        """Remember what is wrong with the field `name`; its first problem counts."""
        self._problems.add(self._prefix + name, problem)

    def section(self, name: str) -> "Fields":
        """Return the fields of a JSON object within this one."""
        return Fields(self.object(name), self._problems, f"{self._prefix}{name}.")

    def sections(self, name: str, most: int) -> list["Fields"]:
        """Return the fields of every JSON object in an array of at `most` so many."""
        values = self.array(name)
        if len(values) > most:
            self.note(name, f"has more than {most} entries")
            return []
        found = []
        for number, value in enumerate(values, start=1):
            entry = f"{name} entry {number}"
            if not isinstance(value, dict):
                self.note(entry, "is not an object")
                value = {}
            found.append(Fields(value, self._problems, f"{self._prefix}{entry} "))
        return found

    def is_null(self, name: str) -> bool:
        """Return whether the field is absent or null."""
        return self._document.get(name) is None

    def identifier(self, name: str) -> str:
        """Return a text or whole number as text."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.note(name, "is not a text or a whole number")
            return ""
        return self._encodable(name, str(value))

    def whole_number(self, name: str) -> int:
        """Return a whole number."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            self.note(name, "is not a whole number")
            return 0
        return value

    def hex(self, name: str, length: int | None = None) -> bytes:
        """Return the bytes of a lower-case hex text, `length` bytes long if given."""
        return self.hex_value(name, self._get(name), length)

    def hex_or_null(self, name: str, length: int | None = None) -> bytes | None:
        """Return the same, or None if the field is absent or null."""
        return None if self.is_null(name) else self.hex(name, length)

    def hex_value(self, name: str, value: Any, length: int | None = None) -> bytes:
        """Return the bytes of `value`, which stands at `name`; see `hex`."""
        # A repeated group instead of a repeated character would take 64 bytes for each of them.
        if not isinstance(value, str) or len(value) % 2 or not re.fullmatch(r"[0-9a-f]+", value):
            self.note(name, "is not lower-case hex")
            return b""
        data = bytes.fromhex(value)
        if length is not None and len(data) != length:
            self.note(name, f"has {len(data)} bytes, not {length}")
        return data

    def public_key(self, name: str) -> PublicKey | None:
        """Return a public key given as hex of its PEM."""
        return self.public_key_value(name, self._get(name))

    def public_key_value(self, name: str, value: Any) -> PublicKey | None:
        """Return the key in `value`, which stands at `name`; None has been noted."""
        pem = self.hex_value(name, value.lower() if isinstance(value, str) else value)
        if not pem:
            return None
        try:
            return load_public_key(pem)
        except BadKey as problem:
            self.note(name, str(problem))
            return None

    def array(self, name: str) -> list[Any]:
        """Return a JSON array."""
        value = self._get(name)
        if isinstance(value, list):
            return value
        self.note(name, "is not an array")
        return []

    def object(self, name: str) -> Document:
        """Return a JSON object; its keys are well-formed texts."""
        value = self._get(name)
        if not isinstance(value, dict):
            self.note(name, "is not an object")
            return {}
        for key in value:
            self._encodable(name, key)
        return value

    def file_list(self, name: str) -> tuple[str, ...]:
        """Return relative paths in canonical form, one leading `./` removed, none of them twice.

        Source: docs/protocol.md, "Immutable hash".
        """
        paths: dict[str, None] = {}
        for number, value in enumerate(self.array(name), start=1):
            path = value.removeprefix("./") if isinstance(value, str) else ""
            entry = f"{name} entry {number}"
            if not _is_canonical(path):
                self.note(entry, "is not a plain relative path")
            elif path.split("/")[0] == WORK_NAME:
                self.note(entry, "has a name that the runner keeps for itself")
            elif path in paths:
                self.note(entry, "names a file a second time")
            paths[self._encodable(entry, path)] = None
        return tuple(paths)

    def _get(self, name: str) -> Any:
        if name not in self._document:
            self.note(name, "is missing")
            return None
        return self._document[name]

    def _encodable(self, name: str, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            self.note(name, "is not valid Unicode")
        return text


def _is_canonical(path: str) -> bool:
    return "\0" not in path and all(part not in ("", ".", "..") for part in path.split("/"))

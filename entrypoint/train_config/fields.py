"""Reads typed fields of a configuration, collecting all problems into one error.

Types and bounds are checked here; the generations only list their fields.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from entrypoint.crypto.keys import BadKey, PublicKey, load_public_key
from entrypoint.errors import MalformedTrain
from entrypoint.files import strict_json
from entrypoint.files.strict_json import Document
from entrypoint.limits import CONFIG_DEPTH, LISTED_PROBLEMS
from entrypoint.model import WORK_NAME

_HINT = "no builder or station writes such a file; get the image again"


def parse_json(data: bytes) -> Document:
    """Return the JSON object in `data`.

    Raises:
        MalformedTrain: not strict JSON, nested too deep, or not an object.
    """
    try:
        document = strict_json.parse_json(data, CONFIG_DEPTH)
    except strict_json.BadJson as problem:
        raise malformed(str(problem)) from None
    if not isinstance(document, dict):
        raise malformed("is not a JSON object")
    return document


def malformed(problem: str) -> MalformedTrain:
    """Return the refusal of a configuration that has this problem."""
    return MalformedTrain("config-malformed", f"train_config.json {problem}", hint=_HINT)


def encode(document: Document) -> bytes:
    """Return the bytes of a document, formatted as the published packages do."""
    return json.dumps(document, indent=2).encode()


class _Problems:
    """The problems of a document, the first one of each field.

    Keeps no more than are listed: a hostile file can have millions.
    """

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.too_many = False

    def add(self, name: str, problem: str) -> None:
        if len(self.found) < LISTED_PROBLEMS:
            self.found.setdefault(name, f"{name} {problem}")
        elif name not in self.found:
            self.too_many = True


class Fields:
    """Reads typed fields of one JSON object.

    For a bad field the methods note the problem and return a harmless value of the right type; the
    block of `collecting()` raises one error with all problems at its end.
    """

    def __init__(self, document: Document, problems: _Problems, prefix: str = "") -> None:
        self._document = document
        self._problems = problems
        self._prefix = prefix

    @classmethod
    @contextmanager
    def collecting(cls, document: Document) -> Iterator["Fields"]:
        """Yield the fields of `document`; at the end raise MalformedTrain if any was bad."""
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
        """Note a problem of the field `name`; only its first one is listed."""
        self._problems.add(self._prefix + name, problem)

    def section(self, name: str) -> "Fields":
        """Return the fields of a nested object."""
        return Fields(self.object(name), self._problems, f"{self._prefix}{name}.")

    def sections(self, name: str, limit: int) -> list["Fields"]:
        """Return the fields of each object in an array with at most `limit` entries."""
        values = self.array(name)
        if len(values) > limit:
            self.note(name, f"has more than {limit} entries")
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
        """Return a string, or an integer as a string."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.note(name, "is not a text or a whole number")
            return ""
        return self._encodable(name, str(value))

    def whole_number(self, name: str) -> int:
        """Return an integer."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            self.note(name, "is not a whole number")
            return 0
        return value

    def hex(self, name: str, length: int | None = None) -> bytes:
        """Return the bytes of a lower-case hex string; if `length` is given, exactly that many."""
        return self.hex_value(name, self._get(name), length)

    def hex_or_null(self, name: str, length: int | None = None) -> bytes | None:
        """Like `hex`, but return None if the field is absent or null."""
        return None if self.is_null(name) else self.hex(name, length)

    def hex_value(self, name: str, value: Any, length: int | None = None) -> bytes:
        """Like `hex`, for a value that was read already; `name` is for messages."""
        # Repeating a group of two characters would need 64 bytes of memory for each repetition.
        if not isinstance(value, str) or len(value) % 2 or not re.fullmatch(r"[0-9a-f]+", value):
            self.note(name, "is not lower-case hex")
            return b""
        data = bytes.fromhex(value)
        if length is not None and len(data) != length:
            self.note(name, f"has {len(data)} bytes, not {length}")
        return data

    def public_key(self, name: str) -> PublicKey | None:
        """Return a public key, stored as hex of its PEM; None if a problem was noted."""
        return self.public_key_value(name, self._get(name))

    def public_key_value(self, name: str, value: Any) -> PublicKey | None:
        """Like `public_key`, for a value that was read already; `name` is for messages."""
        pem = self.hex_value(name, value.lower() if isinstance(value, str) else value)
        if not pem:
            return None
        try:
            return load_public_key(pem)
        except BadKey as problem:
            self.note(name, str(problem))
            return None

    def array(self, name: str) -> list[Any]:
        """Return an array."""
        value = self._get(name)
        if isinstance(value, list):
            return value
        self.note(name, "is not an array")
        return []

    def object(self, name: str) -> Document:
        """Return an object whose keys are valid Unicode."""
        value = self._get(name)
        if not isinstance(value, dict):
            self.note(name, "is not an object")
            return {}
        for key in value:
            self._encodable(name, key)
        return value

    def file_list(self, name: str) -> tuple[str, ...]:
        """Return distinct relative paths in canonical form, without the one leading `./`.

        Source: docs/protocol.md, "Immutable hash".
        """
        paths: dict[str, None] = {}
        for number, value in enumerate(self.array(name), start=1):
            path = value.removeprefix("./") if isinstance(value, str) else ""
            entry = f"{name} entry {number}"
            if not _is_canonical(path):
                self.note(entry, "is not a plain relative path")
            elif path.split("/")[0] == WORK_NAME:
                self.note(entry, "has a name that is reserved for the runner")
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

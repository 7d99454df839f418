"""Trust anchors: the keys that a station has pinned, and what they say about a train.

All public keys of a train come out of the file that they authenticate. So a station can pin those
of users, builders and other stations in the file `trust` of its folder (docs/station.md, "Trust").
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from entrypoint.crypto.keys import PublicKey, fingerprint
from entrypoint.errors import SettingsError
from entrypoint.limits import LISTED_PROBLEMS
from entrypoint.train_config import TrainConfig

# Possessive quantifiers, and the closing quote is optional: linear time on any line.
_WORD = re.compile(r'"(?:[^"\\]++|\\.)*+"?|#.*|[^ \t"#]+')
"""A string in JSON, a comment, or what lies between blanks."""

_KEY = re.compile("SHA256:([0-9A-Fa-f]{64})")


class Holder(NamedTuple):
    """The holder of a key of a train.

    Attributes:
        role: `user`, `builder` or `station`.
        id: on the train; empty for a builder, who has none.
    """

    role: str
    id: str = ""

    def __str__(self) -> str:
        """Return the beginning of a line of the file."""
        return self.role if self.role == "builder" else f"{self.role} {_written(self.id)}"


BUILDER = Holder("builder")

Pins = Mapping[Holder, frozenset[str]]
"""The fingerprints of the keys that are pinned for a holder, each as good as the others."""

Keys = Mapping[Holder, PublicKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The verdict of the anchors on the keys of a train.

    Attributes:
        level: `none`, `partial` or `full`: how many of the keys of others are pinned.
        unpinned: the keys of holders for whom no key is pinned.
        wrong: the keys of holders for whom only other keys are pinned.
    """

    level: str
    unpinned: Keys
    wrong: Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """The keys that a station has pinned.

    Attributes:
        pins: these keys.
        own: the id of this station, whose key is known by its private key; None if it has no id.
        required: whether a train with a key that is not pinned is refused.
    """

    pins: Pins
    own: str | None
    required: bool

    def judge(self, config: TrainConfig) -> Trust:
        """Return the verdict on the keys of a train; the caller decides what to refuse."""
        keys, pins = keys_of(config), self.pins
        own = {Holder("station", self.own)} if self.own is not None else set()
        unpinned = {
            holder: key for holder, key in keys.items() if holder not in pins and holder not in own
        }
        wrong = {
            holder: key
            for holder, key in keys.items()
            if holder in pins and fingerprint(key) not in pins[holder]
        }
        unknown = unpinned.keys() | wrong.keys()
        level = "none" if keys.keys() - own <= unknown else "partial"
        return Trust(level=level if unknown else "full", unpinned=unpinned, wrong=wrong)


NO_ANCHORS = Anchors(pins={}, own=None, required=False)


def keys_of(config: TrainConfig) -> dict[Holder, PublicKey]:
    """Return the public keys of a train by their holders, those of the stations in its order."""
    keys = {Holder("user", config.user_id): config.user_key}
    if config.builder_key is not None:
        keys[BUILDER] = config.builder_key
    return keys | {Holder("station", name): key for name, key in config.stations.items()}


def lines(keys: Keys) -> list[str]:
    """Return the lines of the file that pin these keys."""
    return [f"{holder} SHA256:{fingerprint(key)}" for holder, key in keys.items()]


def parse(path: Path, data: bytes) -> Pins:
    """Return the keys that a file pins, one a line.

    Args:
        path: of the file, for messages.
        data: its contents.

    Raises:
        SettingsError: it is no text in UTF-8, or lines are malformed; the error names them.
    """
    pins: defaultdict[Holder, set[str]] = defaultdict(set)
    problems = []
    for number, line in enumerate(re.split("\r\n?|\n", _decode(path, data)), start=1):
        words = [word for word in _WORD.findall(line) if not word.startswith("#")]
        try:
            if words:
                holder, key = _pin(words)
                pins[holder].add(key)
        except _Malformed as problem:
            problems.append(f"line {number} {problem}")
    if problems:
        raise SettingsError(
            "trust-malformed",
            f"{path} has lines that pin no key",
            hint="write one key a line: user ID SHA256:HEX, station ID SHA256:HEX or builder "
            'SHA256:HEX, an id with blanks, quotes or # as "…" in JSON, and # before a comment; '
            "pht inspect --trust-lines prints the lines of a train",
            problems=problems[:LISTED_PROBLEMS],
        )
    return {holder: frozenset(keys) for holder, keys in pins.items()}


class _Malformed(Exception):
    """A line pins no key; the text gives the reason."""


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(
            "trust-malformed", f"{path} is not text in UTF-8", hint="save it as UTF-8"
        ) from None


def _pin(words: list[str]) -> tuple[Holder, str]:
    """Return what the words of a line pin."""
    match words:
        case ["builder", key]:
            holder = BUILDER
        case ["user" | "station" as role, name, key]:
            holder = Holder(role, _id(name))
        case _:
            raise _Malformed("is none of: user ID KEY, station ID KEY, builder KEY")
    if not (found := _KEY.fullmatch(key)):
        raise _Malformed("has a key that is not SHA256: and 64 hex digits")
    return holder, found[1].lower()


def _id(word: str) -> str:
    """Return the id that a word of the file stands for."""
    if not word.startswith('"'):
        if not word.isprintable():  # blanks that nobody sees would make it another id
            raise _Malformed('has an id with invisible characters; write it as "…" in JSON')
        return word
    try:
        return str(json.loads(word))
    except ValueError:
        raise _Malformed('has an id in "…" that is no JSON string') from None


def _written(name: str) -> str:
    """Return an id as the file has it: as it is if it is one plain word, else in JSON."""
    if name.isprintable() and re.fullmatch(r'[^ "#]+', name):
        return name
    return json.dumps(name, ensure_ascii=not name.isprintable())

"""`station.env` and values of settings, as people write them.

Lines mean what they mean in `docker run --env-file`, so that one file can be given in both ways:
quotes, blanks behind a value and comments behind it are a part of it. No setting is meant so; such
a value is refused with the cause, instead of an id that looks right and fits no train.
"""

import codecs
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from entrypoint.errors import SettingsError

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FREE_TEXT = frozenset({"STATION_ID", "TRAIN_DATA_PATH"})
"""Settings that may hold a `#` behind a blank, such as an id of one's own choice."""
_HEX = frozenset({"RSA_STATION_PRIVATE_KEY", "RSA_STATON_PRIVATE_KEY"})
"""Settings in which blanks do not count."""


def parse(path: Path, data: bytes) -> dict[str, str]:
    """Return the variables of a file with one NAME=VALUE a line.

    Args:
        path: of the file, for messages.
        data: its contents.

    Raises:
        SettingsError: a line is something else, or the file is no UTF-8.
    """
    if data.startswith(_UTF_16) or b"\0" in data[:2]:
        raise SettingsError(
            "station-env-malformed",
            f"{path} is text in UTF-16, as Windows writes it",
            hint="save it as UTF-8: iconv -f UTF-16 -t UTF-8",
        )
    values: dict[str, str] = {}
    text = data.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.removesuffix("\r").lstrip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if problem := _problem(name, equals, value, values):
            raise SettingsError(
                "station-env-malformed",
                f"line {number} of {path} {problem}",
                hint="write one NAME=VALUE a line, without export, spaces around = or quotes",
            )
        values[name] = value
    return values


def refuse_decoration(values: Mapping[str, str], settings: Collection[str], place: str) -> None:
    """Refuse settings whose value has quotes, blanks or a comment around it.

    Args:
        values: variables.
        settings: the names of those that count; others are the train's business.
        place: where they are set, for messages.

    Raises:
        SettingsError: a value has something around it.
    """
    for name in sorted(values.keys() & settings):
        if around := _around(name, values[name]):
            raise SettingsError(
                "setting-malformed",
                f"{name}, in {place}, has {around}, which would be a part of its value",
                hint="as for docker run --env-file, everything behind = counts: remove it there, "
                "and give a comment a line of its own",
            )


def _problem(name: str, equals: str, value: str, before: Collection[str]) -> str:
    if name in before:
        return "sets a name a second time"
    valid = equals and name.isascii() and name.isidentifier() and "\0" not in value
    return "" if valid else "is not NAME=VALUE"


def _around(name: str, value: str) -> str:
    if name in _HEX:
        value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return "quotes"
    if value != value.strip():
        return "blanks at its beginning or end"
    if name not in _FREE_TEXT and re.search(r"\s#", value):
        return "a comment behind it"
    return ""

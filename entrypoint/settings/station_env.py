"""Parses `station.env`, and refuses values with quotes, blanks or comments around them.

A line means what it means to `docker run --env-file`, so that one file works both ways: quotes,
trailing blanks and comments are part of the value. No setting needs them; refusing them with the
reason is better than a station id that looks right and matches no train.
"""

import codecs
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from entrypoint.errors import SettingsError
from entrypoint.settings.names import FREE_TEXT, KEY_VALUES, UNQUOTED

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def parse(path: Path, data: bytes) -> dict[str, str]:
    """Return the variables of a file with one NAME=VALUE a line.

    Args:
        path: of the file, for messages.
        data: its contents.

    Raises:
        SettingsError: the file is in UTF-16, or a line is malformed or repeats a name.
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


def refuse_decoration(values: Mapping[str, str], place: str) -> None:
    """Refuse settings whose value has quotes, blanks or a comment around it.

    Args:
        values: settings, and other variables, which are not checked.
        place: where they are set, for messages.

    Raises:
        SettingsError: a setting has such a value.
    """
    for name in sorted(values.keys() & UNQUOTED):
        if decoration := _decoration(name, values[name]):
            raise SettingsError(
                "setting-malformed",
                f"{name}, in {place}, has {decoration}, which would be a part of its value",
                hint="as for docker run --env-file, everything after = is part of the value: "
                "remove it there, and give a comment a line of its own",
            )


def _problem(name: str, equals: str, value: str, before: Collection[str]) -> str:
    if name in before:
        return "sets a name a second time"
    valid = equals and name.isascii() and name.isidentifier() and "\0" not in value
    return "" if valid else "is not NAME=VALUE"


def _decoration(name: str, value: str) -> str:
    if name in KEY_VALUES:  # hex, in which blanks do not count
        value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return "quotes"
    if value != value.strip():
        return "blanks at its beginning or end"
    if name not in FREE_TEXT and re.search(r"\s#", value):
        return "a comment after it"
    return ""

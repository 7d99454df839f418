"""Reads `pht.toml`, which holds options of an author's commands beside the folder of a train.

Its keys are long options of these commands, `command` and `workdir` of the train's image, and a
table of the stations. An option on the command line wins over its key.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from entrypoint.errors import MissingInput, UsageError
from entrypoint.files.bounded import read_bounded
from entrypoint.limits import SETTINGS_BYTES
from entrypoint.model import GENERATIONS, PROJECT_FILE
from entrypoint.protocol.command import TRAIN_FOLDER

_Reader = Callable[[Path, Any], Any]
"""Returns a value as the parser of options returns it; paths are relative to the first argument.

Raises:
    ValueError: its text says what the value has to be.
"""


def read_project(train: Path) -> tuple[Path, dict[str, Any]]:
    """Return the path of the project file of a train, and the values of options by their names.

    There are none if there is no such file.

    Args:
        train: the folder of the train's files; the file lies beside it.

    Raises:
        MissingInput: the file cannot be read.
        UsageError: it is not well formed.
    """
    folder = Path(os.path.abspath(train)).parent  # also for `.` and `..`, which have no name
    path = folder / PROJECT_FILE
    try:
        document = tomllib.loads(read_bounded(path, SETTINGS_BYTES).decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return path, {}
    except OSError as error:
        raise MissingInput(
            "project-file-unreadable",
            f"{path} cannot be read: {(error.strerror or 'unknown reason').lower()}",
            hint="make it a text file that you may read, or move it away",
        ) from None
    except UnicodeDecodeError:
        raise _malformed(path, "is not in UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise _malformed(path, f"is not TOML: {str(error)[:_SHOWN]}") from None
    return path, _values(path, document)


def _values(path: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of all keys, by the names of their options."""
    values: dict[str, Any] = {}
    for key, value in document.items():
        if key not in _READERS:
            known = ", ".join(_READERS)
            raise _malformed(path, f"has the unknown key {key[:_SHOWN]}; its keys are {known}")
        try:
            values[key.replace("-", "_")] = _READERS[key](path.parent, value)
        except ValueError as error:
            raise _malformed(path, f"is wrong at the key {key}: {error}") from None
    return values


def _text(_folder: Path, value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("it has to be a text that is not empty")
    return value


def _generation(folder: Path, value: Any) -> str:
    if value not in GENERATIONS:
        raise ValueError(f"it has to be {' or '.join(GENERATIONS)}")
    return _text(folder, value)


def _workdir(_folder: Path, value: Any) -> str:
    if value != str(TRAIN_FOLDER):
        raise ValueError(
            f"it has to be {TRAIN_FOLDER}; without the key it is /, and stations accept no other"
        )
    return str(TRAIN_FOLDER)


def _path(folder: Path, value: Any) -> Path:
    return folder / _text(folder, value)


def _list(folder: Path, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError("it has to be a list of texts")
    return [_text(folder, word) for word in value]


def _command(folder: Path, value: Any) -> list[str]:
    if value == []:
        raise ValueError("it has to be a list of at least one text")
    return _list(folder, value)


def _stations(folder: Path, value: Any) -> list[tuple[str, Path]]:
    if not isinstance(value, dict) or not value:
        raise ValueError('it has to be a table with a line for each station: ID = "FILE"')
    return [(_text(folder, station), _path(folder, file)) for station, file in value.items()]


_READERS: Mapping[str, _Reader] = {
    "command": _command,
    "workdir": _workdir,
    "master-image": _text,
    "exclude": _list,
    "data": _path,
    "keys": _path,
    "generation": _generation,
    "user-key": _path,
    "password-file": _path,
    "builder-key": _path,
    "builder-password-file": _path,
    "paillier-key": _path,
    "user": _text,
    "train-id": _text,
    "proposal": _text,
    "repository": _text,
    "stations": _stations,
}
"""The function that reads the value of each key."""

_SHOWN = 200
"""Maximum length of a part of the file that is shown, in characters."""


def _malformed(path: Path, problem: str) -> UsageError:
    return UsageError(
        "project-file-malformed",
        f"{path} {problem}",
        hint='correct it; docs/author.md, "The project file", explains its keys',
    )

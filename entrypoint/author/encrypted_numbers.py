"""Decrypts the numbers in opened results, as the users' application does (docs/protocol.md)."""

import json
import re
from pathlib import Path
from typing import Any

from entrypoint.author.paillier import PrivateKey
from entrypoint.files.bounded import FileTooLarge, read_bounded
from entrypoint.files.strict_json import BadJson, parse_json
from entrypoint.files.tree import walk
from entrypoint.limits import ENCRYPTED_NUMBERS_BYTES, ENCRYPTED_NUMBERS_DEPTH
from entrypoint.report import Report, counted

_MARK = ".he.json"
"""Part of the path of every file that holds encrypted numbers."""

_PLAIN_CHARACTERS = 15
"""Length up to which an integer is a plain number, in characters with its sign."""

_DIGITS = re.compile("[0-9]+")


class _Undecryptable(Exception):
    """A value is no number encrypted under the key; the text says where it stands."""


def decrypt_numbers(folder: Path, key: PrivateKey, report: Report) -> None:
    """Decrypt all numbers in the marked files, each file as a whole or, with a warning, not at all.

    Args:
        folder: the opened results.
        key: the user's.
        report: takes the warnings and the count.
    """
    marked = [entry.path for entry in walk(folder) if entry.has_contents and _MARK in entry.path]
    count = 0
    for path in marked:
        report.progress(f"decrypting the numbers in {path}")
        try:
            count += _decrypt_file(folder / path, key)
        except (FileTooLarge, BadJson, _Undecryptable) as problem:
            reason = problem.strerror if isinstance(problem, FileTooLarge) else problem
            report.warning(f"{path} stays as the train wrote it: {reason}")
    report.progress_done()
    if not marked:
        report.warning(f"no result has {_MARK} in its name, so no number is decrypted")
    report.info(f"decrypted {counted(count, 'number')} with the Paillier key")


def _decrypt_file(file: Path, key: PrivateKey) -> int:
    """Replace a file by one with decrypted numbers and return how many these are.

    Raises:
        FileTooLarge, BadJson, _Undecryptable: the file is unchanged.
    """
    document = parse_json(read_bounded(file, ENCRYPTED_NUMBERS_BYTES), ENCRYPTED_NUMBERS_DEPTH)
    decrypter = _Decrypter(key)
    data = json.dumps(decrypter.opened(document, ""), separators=(",", ":")).encode()
    mode = file.stat().st_mode
    file.unlink()  # another name of the same file is decrypted by itself
    file.write_bytes(data)
    file.chmod(mode)
    return decrypter.count


class _Decrypter:
    """Decrypts the numbers in a JSON value and counts them."""

    def __init__(self, key: PrivateKey) -> None:
        self.count = 0
        self._key = key

    def opened(self, value: Any, place: str) -> Any:
        """Return the value with all encrypted numbers decrypted; `place` is its path, for errors.

        Text of digits and long integers are encrypted, everything else is plain.
        """
        match value:
            case dict():
                return {name: self.opened(part, f"{place}.{name}") for name, part in value.items()}
            case list():
                return [self.opened(part, f"{place}[{i}]") for i, part in enumerate(value)]
            case str() if _DIGITS.fullmatch(value):
                return self._decrypted(value, place)
            case int() if len(str(value)) > _PLAIN_CHARACTERS:
                return self._decrypted(str(value), place)
        return value

    def _decrypted(self, digits: str, place: str) -> int:
        self.count += 1
        try:
            return self._key.decrypt(int(digits))
        except ValueError:  # among them integers with more digits than Python reads
            raise _Undecryptable(
                f"{place.removeprefix('.') or 'the value'} is not encrypted under this key"
            ) from None

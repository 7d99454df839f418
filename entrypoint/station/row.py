"""One row of the table of `pht doctor`: what was checked, the verdict, and what to do."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from entrypoint.errors import PhtError, storage_error, unexpected
from entrypoint.report import Report


class Verdict(StrEnum):
    """The end of a check; only FAILED stands for visits that would be refused."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_SET = "not set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The result of one check.

    Attributes:
        check: the name of the check.
        verdict: how it has ended.
        found: what was found, in words.
        advice: what to do, empty if nothing is.
        code: of the error with which a visit would be refused, else None.
    """

    check: str
    verdict: Verdict
    found: str
    advice: str = ""
    code: str | None = None

    @classmethod
    def failed(cls, check: str, *errors: PhtError) -> Self:
        """Return the row of a check that has found these errors, one at least."""
        messages = [text for error in errors for text in (error.message, *error.problems)]
        return cls(
            check=check,
            verdict=Verdict.FAILED,
            found="; ".join(messages),
            advice="; ".join(dict.fromkeys(error.hint for error in errors)),
            code=errors[0].code,
        )


def judged(check: str, find: Callable[[str], Row]) -> Row:
    """Return the row that a check finds; an error that it raises becomes the row.

    Args:
        check: its name.
        find: takes the name.
    """
    try:
        return find(check)
    except Exception as error:
        return row_of_error(check, error)


def row_of_error(check: str, error: Exception) -> Row:
    """Return the row of a check that an error has ended, whatever the error is."""
    match error:
        case PhtError():
            return Row.failed(check, error)
        case OSError():
            return Row.failed(check, storage_error(error))
    return Row.failed(check, unexpected(error))


class Notes(Report):
    """Keeps what parts of a visit log, for the row of the check that uses them.

    Attributes:
        infos: what was done.
        warnings: problems that do not stop a visit.
    """

    def __init__(self) -> None:
        super().__init__(stream=io.StringIO())
        self.infos: list[str] = []
        self.warnings: list[str] = []

    def info(self, text: str) -> None:
        """Keep what was done."""
        self.infos.append(text)

    def warning(self, text: str) -> None:
        """Keep a problem."""
        self.warnings.append(text)

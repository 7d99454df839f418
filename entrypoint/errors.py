"""All errors that the program reports, as one tree of classes.

An error carries a stable code for machines, a message that says what is wrong, a hint that says
what to do next, and who has to act. Its class decides the exit status (docs/station.md, "Exit
statuses"). A message never holds key bytes or file contents; names taken from a train are escaped
by the module that prints.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

from entrypoint import __version__

OPERATOR = "operator"
"""Whoever gave the command: a station, or at a desk the train's author or user."""


class PhtError(Exception):
    """The base of every error that is reported without a traceback.

    Args:
        code: stable, kebab-case; scripts may depend on it.
        message: what is wrong; lower case, no full stop.
        hint: what to do next.
        problems: further findings, one line each, when all of them are reported at once.
        by: who has to act: "station", "author", "user", "runner" or `OPERATOR`.
        retry: whether starting the same thing again can help.
        files_differ: whether files are missing or not the expected ones, for which a mount that
            hides them may be the reason.
    """

    status: ClassVar[int] = 70
    default_by: ClassVar[str] = "runner"

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str,
        problems: Sequence[str] = (),
        by: str | None = None,
        retry: bool = False,
        files_differ: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.problems = tuple(problems)
        self.by = by or self.default_by
        self.retry = retry
        self.files_differ = files_differ

    def with_hint(self, hint: str, *, by: str | None = None) -> Self:
        """Return a copy with another, final hint: starting again alone does not help."""
        copy = type(self).__new__(type(self), self.message)  # constructors of subclasses differ
        vars(copy).update(vars(self), hint=hint, by=by or self.by, retry=False, files_differ=False)
        return copy


class UsageError(PhtError):
    """The command line cannot be understood."""

    status = 64
    default_by = OPERATOR


class MalformedTrain(PhtError):
    """The train's files or its configuration are not well formed."""

    status = 65
    default_by = "author"


class MissingInput(PhtError):
    """A file or folder that is needed is absent or cannot be read."""

    status = 66
    default_by = OPERATOR


class NoQuery(MissingInput):
    """The train carries no query; schedulers go on without one."""

    status = 69
    default_by = "user"


class SystemFailure(PhtError):
    """The operating system does not do what the runner needs."""

    status = 71
    default_by = OPERATOR


class StorageError(PhtError):
    """Reading or writing failed, or the disk is full."""

    status = 74
    default_by = OPERATOR


class StoppedWhileSealing(PhtError):
    """The results are complete but not all sealed; the next start finishes the work."""

    status = 75
    default_by = OPERATOR


class RouteError(PhtError):
    """This train must not, or need not, be visited by this station now."""

    status = 76
    default_by = OPERATOR


class AlreadyVisited(RouteError):
    """This station has made its visit; schedulers treat the train as done."""

    status = 79


class IntegrityError(PhtError):
    """A hash, a signature or a key does not match: the train is not what was signed."""

    status = 77
    default_by = "user"


class SettingsError(PhtError):
    """A setting of the station is missing, contradictory or not possible."""

    status = 78
    default_by = OPERATOR


def storage_error(
    error: OSError,
    hint: str = "check the disk, its free space and the permissions, then start again",
) -> StorageError:
    """Return the error for a failed system call.

    Args:
        error: what the system call raised.
        hint: what to do next, unless the reader of stdout closed it.
    """
    if isinstance(error, BrokenPipeError):
        return StorageError(
            "reader-gone",
            "the reader of stdout closed it before all output was written",
            hint="start again with a reader that reads to the end; nothing has changed",
            retry=True,
        )
    where = f": {error.filename}" if isinstance(error.filename, str) else ""
    return StorageError(
        "storage-failed",
        f"{(error.strerror or 'reading or writing failed').lower()}{where}",
        hint=hint,
        retry=True,
    )


def unexpected(error: Exception) -> PhtError:
    """Return the error for a bug: its place, but not its message and traceback.

    These can hold data that must not leave the station. Running out of memory is not a bug.
    """
    if isinstance(error, MemoryError):
        return SystemFailure(
            "out-of-memory",
            "there was not enough memory",
            hint="give the container more memory, then start again",
            retry=True,
        )
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace else None
    place = f"{Path(code.co_filename).name}, {code.co_name}" if code else "unknown"
    return PhtError(
        "bug",
        f"the runner failed unexpectedly: {type(error).__name__} in {place}",
        hint=f"report this line, with the version {__version__}, to the makers of the runner",
    )

"""The warning of files that a train has left where they do not travel."""

from collections.abc import Sequence

from entrypoint.report import Report

_NAMED_FILES = 10
"""Maximum number of files named in a message."""


def warn_of_left_files(report: Report, place: str, names: Sequence[str]) -> None:
    """Log a warning that files which the train has left in a place are gone, if there are any."""
    if names:
        report.warning(
            f"the train has left files in {place}, which are gone now: {first_names(names)}; "
            "only what it writes into PHT_RESULTS_DIR travels"
        )


def first_names(names: Sequence[str]) -> str:
    """Return the first of some names for a message, and how many more there are."""
    more = len(names) - _NAMED_FILES
    return ", ".join(names[:_NAMED_FILES]) + (f" and {more} more" if more > 0 else "")

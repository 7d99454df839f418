"""Interface of the export that follows a commit; implemented in `station/`."""

from typing import Protocol


class Export(Protocol):
    """Writes the sealed train to the place that the station has set, if it has set one."""

    def check(self) -> None:
        """Refuse a place where it cannot be written, before a visit changes anything."""

    def write(self) -> None:
        """Write the train that has just been sealed; an error does not undo the visit."""

    def write_if_missing(self) -> None:
        """Write it after an earlier start that was interrupted between its commit and this."""

"""The export that follows a visit, for engines that throw containers away (PHT_EXPORT)."""

import os
from pathlib import Path

from entrypoint.errors import PhtError, storage_error
from entrypoint.report import Report
from entrypoint.settings.settings import Settings
from entrypoint.station.export import export, is_export_of
from entrypoint.station.export_place import check_place


class VisitExport:
    """Writes the sealed train where the settings say; does nothing if they name no place."""

    def __init__(self, settings: Settings, report: Report) -> None:
        self._paths = settings.paths
        self._output = settings.export
        self._in_container = settings.in_container
        self._report = report

    def check(self) -> None:
        """Refuse a place where it cannot be written, before a visit changes anything."""
        if self._output is not None:
            check_place(self._paths, self._output, in_container=self._in_container)

    def write(self) -> None:
        """Write the train that has just been sealed.

        Raises:
            PhtError: with a hint that says that the visit is complete.
        """
        if self._output is not None:
            self._write(self._output)

    def write_if_missing(self) -> None:
        """Write it after an earlier start that was interrupted between its commit and this."""
        output = self._output
        if output is None:
            return
        if not os.path.lexists(output):
            self._write(output)
        elif not is_export_of(self._paths, output):
            self._report.warning(
                f"this train is not exported: {output} exists and is not an export of this "
                "train; give each train a file of its own, or use pht export"
            )

    def _write(self, output: Path) -> None:
        try:
            export(self._paths, output, in_container=self._in_container)
        except (PhtError, OSError) as error:
            failure = storage_error(error) if isinstance(error, OSError) else error
            raise failure.with_hint(
                "the visit is complete and the train is sealed: fix the cause and export it with "
                "pht export; after run, starting this same container again does that too"
            ) from error
        self._report.info(f"the sealed train is in {output}")

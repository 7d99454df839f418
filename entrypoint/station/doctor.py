"""`pht doctor`: examines a station without any train, a row for each thing a visit needs.

Each row is found by itself, so one fault does not hide the others.
"""

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from entrypoint.errors import SettingsError
from entrypoint.model import LAYERS, Paths
from entrypoint.report import Outcome, Report, Surroundings, table
from entrypoint.station.inputs import Inputs
from entrypoint.station.layer_rows import data_row, layer_rows
from entrypoint.station.machine_rows import disk_row, network_row, system_row, temporary_row
from entrypoint.station.row import Row, Verdict, judged
from entrypoint.station.station_rows import (
    folder_row,
    key_row,
    masters_row,
    settings_row,
    trust_row,
)

_HEADER = ("verdict", "check", "found")
_WIDTH = 76
"""Characters of the last column, into which a fingerprint fits."""


def examine(root: Path | None, environment: Mapping[str, str], report: Report) -> list[Row]:
    """Return the rows of all checks, in the order of the table.

    Args:
        root: the folder in front of every fixed path, or None in a container.
        environment: of this process.
        report: gets the form that the station has set for its log.
    """
    paths = Paths(root.absolute() if root else Path("/"))
    in_container = root is None
    inputs = Inputs.read(paths, environment, in_container=in_container)
    settings = inputs.settings()
    report.as_json = settings.log_json
    finders: Mapping[str, Callable[[str], Row]] = {
        "private key": partial(key_row, settings=settings),
        "station folder": partial(folder_row, paths=paths, in_container=in_container),
        "settings": partial(settings_row, inputs=inputs),
        "trust": partial(trust_row, settings=settings),
        "master images": partial(masters_row, settings=settings),
        "data": partial(data_row, settings=settings),
        "network": network_row,
    }
    places: Mapping[str, Callable[[str], Row]] = {
        "disk": partial(disk_row, settings=settings),
        "temporary files": partial(temporary_row, paths=paths, in_container=in_container),
        "system": partial(system_row, in_container=in_container),
    }
    return [
        *(judged(check, find) for check, find in finders.items()),
        *layer_rows(settings),
        *(judged(check, find) for check, find in places.items()),
    ]


def text_of(rows: Sequence[Row]) -> str:
    """Return the rows as a table; the advice of a row stands below what was found."""
    lines: list[tuple[str, str, str]] = []
    for row in rows:
        found = _wrapped(row.found + (f" [{row.code}]" if row.code else ""))
        advice = _wrapped(f"-> {row.advice}") if row.advice else []
        first, *others = [*found, *advice]
        lines += [(row.verdict, row.check, first), *(("", "", text) for text in others)]
    return table(_HEADER, lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def json_of(rows: Sequence[Row]) -> str:
    """Return the rows as JSON (docs/station.md, "Is this machine ready?")."""
    return json.dumps(
        {"result": outcome_of(rows).result, "checks": [asdict(row) for row in rows]}, indent=2
    )


def outcome_of(rows: Sequence[Row]) -> Outcome:
    """Return the outcome of the command: a failed row makes it one of wrong settings."""
    active = tuple(row.check for row in rows if row.check in LAYERS and row.verdict is Verdict.OK)
    surroundings = Surroundings(layers=active)
    failed = next((row for row in rows if row.verdict is Verdict.FAILED), None)
    if failed is None:
        return Outcome(result="ready", surroundings=surroundings)
    return Outcome(
        result="not-ready",
        status=SettingsError.status,
        code=failed.code,
        by="station",
        surroundings=surroundings,
    )

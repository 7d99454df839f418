"""`pht ledger`: lists the trains that have boarded at this station, and forgets some."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from entrypoint.errors import MissingInput, SettingsError, UsageError
from entrypoint.model import Paths
from entrypoint.report import Report, table
from entrypoint.settings.ledger_folder import find_ledger
from entrypoint.trust.ledger import SHORT_ID, Entry, Ledger

_BEGINNING = re.compile(rf"[0-9a-f]{{{SHORT_ID},128}}")


def open_ledger(paths: Paths, *, in_container: bool) -> Ledger:
    """Return the station's ledger.

    Raises:
        MissingInput: there is none.
        SettingsError: its folder cannot be used as one.
    """
    folder = find_ledger(paths.ledger, in_container=in_container)
    if folder is None:
        raise MissingInput(
            "ledger-missing",
            f"there is no ledger in {paths.ledger}",
            hint="mount its folder there; without a container use --root",
        )
    return Ledger(folder)


def list_entries(ledger: Ledger, write: Callable[[str], None], *, as_json: bool) -> None:
    """Output all entries, the oldest first, as a table or as JSON.

    Args:
        ledger: of the station.
        write: outputs a text.
        as_json: whether to output JSON.

    Raises:
        SettingsError: an entry is damaged; all others were output.
    """
    entries, damaged = [], []
    with ledger.locked():
        for path in ledger.files():
            try:
                entries.append(ledger.read(path))
            except SettingsError as error:
                damaged.append(error)
    entries.sort(key=lambda entry: entry.boarded)
    write(json.dumps([*map(asdict, entries)], indent=2) if as_json else _table(entries))
    if damaged:
        raise damaged[0]


def forget(ledger: Ledger, sessions: Sequence[str], report: Report) -> None:
    """Remove entries; none if one of them is not found.

    Args:
        ledger: of the station.
        sessions: for each entry its session id, or the beginning of that or of its file's name.
        report: takes a line for each.

    Raises:
        UsageError: a beginning is too short, or no hex, or several entries have it.
        MissingInput: no entry has it.
        StorageError: an entry cannot be removed.
    """
    with ledger.locked():
        for path in [_find(ledger, session) for session in sessions]:
            ledger.forget(path)
            report.info(f"forgot {path.name}: this train boards now in any state")


def _find(ledger: Ledger, session: str) -> Path:
    if not _BEGINNING.fullmatch(session):
        raise UsageError(
            "session-malformed",
            f"--forget takes {SHORT_ID} to 128 hex digits in lower case",
            hint="give a session id as pht ledger --json shows it, or its beginning",
        )
    found = [path for path in ledger.files() if _begins(ledger, path, session)]
    if len(found) > 1:
        raise UsageError(
            "session-ambiguous",
            f"{len(found)} entries of the ledger begin with {session}",
            hint="give more digits of the session id: pht ledger --json shows all",
        )
    if not found:
        raise MissingInput(
            "session-not-found",
            f"no entry of the ledger begins with {session}",
            hint="pht ledger lists the entries",
        )
    return found[0]


def _begins(ledger: Ledger, path: Path, session: str) -> bool:
    if path.name.startswith(session):
        return True
    try:
        return ledger.read(path).session.startswith(session)
    except SettingsError:  # damaged: its name identifies it
        return False


def _table(entries: Sequence[Entry]) -> str:
    rows = [
        (entry.train, f"{entry.session[:SHORT_ID]}…", str(entry.stops), entry.boarded)
        for entry in entries
    ]
    return table(("train", "session", "stops", "last boarding"), rows)

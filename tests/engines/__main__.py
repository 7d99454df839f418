"""Runs every case in every kind of engine that this machine has, and writes the table."""

import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from tests.engines.cases import CASES
from tests.engines.elsewhere import ALL_CASES, ELSEWHERE, Row
from tests.engines.kinds import KINDS, NOT_RUN
from tests.engines.page import rows, write

PYTEST = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-m", "engines"]

Recorded = dict[str, str]
"""Properties recorded by a case that works."""


def main() -> int:
    """Run the cases and, if none fails, write the table; a kind that is skipped keeps its row."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        folders = ["tests/engines", "tests/recipes", "tests/containers"]
        command = [*PYTEST, f"--junit-xml={report}", *folders, *sys.argv[1:]]
        status = subprocess.run(command).returncode
        recorded = _recorded(report)
    if status == 0:
        old = {row.engine: row for row in rows()}
        found = [_row(kind, recorded) or old.get(kind) for kind in KINDS]
        write([*(row for row in found if row), *ELSEWHERE])
    return status


def _recorded(report: Path) -> list[Recorded]:
    cases = ElementTree.parse(report).iter("testcase")
    found = [
        {entry.get("name", ""): entry.get("value", "") for entry in case.iter("property")}
        for case in cases
    ]
    return [case for case in found if case]


def _row(kind: str, recorded: Sequence[Recorded]) -> Row | None:
    """Return the row of a kind, or None if its first case was skipped."""
    cases = {case["case"]: case for case in recorded if case["kind"] == kind}
    worked = [name for name in CASES if name in cases]
    first = cases.get(next(iter(CASES)))
    if first is None:
        return None
    works = ALL_CASES if worked == [*CASES] else ", ".join(worked)
    linux = f"Linux {'.'.join(platform.release().split('.')[:2])}"
    return Row(kind, works, first["layers"], f"{first['version']}, {linux}", NOT_RUN.get(kind, "–"))


if __name__ == "__main__":
    sys.exit(main())

"""The table of `docs/engines.md`: how `make engines` writes it, and how tests read it."""

import itertools
import re
from collections.abc import Iterable

from tests.engines.elsewhere import Row
from tests.station import REPOSITORY

PAGE = REPOSITORY / "docs" / "engines.md"

HEAD = "| engine | works | layers | run with | not run here |\n|---|---|---|---|---|\n"


def rows() -> list[Row]:
    """Return the rows of the page."""
    lines = _table(PAGE.read_text()).splitlines()
    return [Row(*re.split(r" \| ", line.strip("| "))) for line in lines]


def write(rows: Iterable[Row]) -> None:
    """Put rows into the page, in the place of those that are there."""
    page = PAGE.read_text()
    table = "".join(f"| {' | '.join(vars(row).values())} |\n" for row in rows)
    PAGE.write_text(page.replace(HEAD + _table(page), HEAD + table))


def _table(page: str) -> str:
    _, _, rest = page.partition(HEAD)
    assert rest, f"{PAGE.name} has no table that begins with {HEAD}"
    return "".join(itertools.takewhile(lambda line: line[0] == "|", rest.splitlines(keepends=True)))

"""Trains of the tests of recipes, which mount no folder that a train can write to."""

from collections.abc import Sequence
from pathlib import Path

from tests import station
from tests.containers.site import Site
from tests.containers.visitor import COUNTS, FIRST
from tests.station import Done

PATIENCE_S = 4 * station.PATIENCE_S
"""Seconds after which a whole visit with its hand-over counts as hanging."""

FAILS = COUNTS + "raise SystemExit(3)\n"
IS_KILLED = COUNTS + "import os; os.kill(os.getpid(), 9)\n"
STAYS = COUNTS + "print('aboard', flush=True)\nimport time; time.sleep(60)\n"
"""Runs until it is ended."""

LARGE_BYTES = 64 * 2**20
SEALS_LONG = (
    COUNTS
    + f"""
print("aboard", flush=True)
for number in range(4):
    with (results / str(number)).open("wb") as file:
        file.truncate({LARGE_BYTES})
"""
)
"""Has results that take some time to be sealed, and says that it runs."""


def visit_by_script(
    site: Site,
    *options: str | Path,
    at: str = FIRST,
    more: Sequence[str] = (),
    programs: Path | None = None,
) -> Done:
    """Run the script of a station to its end; see `Site.begin`."""
    process = site.begin(*options, at=at, programs=programs, more=more)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    return Done(process.returncode, stdout, stderr.decode())

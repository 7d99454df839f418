"""The layers of protection by engine and options: the page of engines is compared with visits."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import gvisor, not_in_gvisor, or_skip
from tests.containers.plain_options import ID, KEY, RECOMMENDED
from tests.containers.visitor import SECOND, Container, station_folder
from tests.station import REPOSITORY, settle

pytestmark = not_in_gvisor("each case chooses its runtime")

PAGE = REPOSITORY / "docs" / "engines.md"
USER = 1000

OPTIONS = {
    "none": [],
    "the recommended ones": RECOMMENDED,
    "`--init`": ["--init"],
    "`--security-opt seccomp=unconfined`": ["--security-opt", "seccomp=unconfined"],
    f"`--user {USER}`": ["--user", str(USER)],
    "`--cap-drop ALL`": ["--cap-drop", "ALL"],
}
"""Options of `docker create`, by their names on the page."""

DOCKER, NO_LANDLOCK, GVISOR = "Docker 20.10", "Docker 20.10, no Landlock", "gVisor"

_LANDLOCK = ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"]
_WITHOUT_LANDLOCK = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": _LANDLOCK, "action": "SCMP_ACT_ERRNO", "errnoRet": 38}],
}


@dataclass(frozen=True)
class Row:
    """One engine with one of the options in a row of the page, and how visits end there."""

    engine: str
    options: str
    with_file: str
    with_variable: str

    def __str__(self) -> str:
        return f"{self.engine}, {self.options}".replace("`", "")


def rows(*, all_options: bool) -> Iterator[Row]:
    """Yield the rows of the page for the engines of the tests.

    Args:
        all_options: whether to yield all options that a row names, or only the first.
    """
    section = PAGE.read_text().partition("\n## Layers by engine\n")[2].partition("\n## ")[0]
    for line in re.findall(r"^\|(.*)\|$", section, re.MULTILINE):
        engine, options, with_file, with_variable = map(str.strip, line.split("|"))
        if engine in (DOCKER, NO_LANDLOCK, GVISOR):
            with_variable = with_file if with_variable == "the same" else with_variable
            for option in options.split("; ")[: None if all_options else 1]:
                yield Row(engine, option, with_file, with_variable)


ROWS = list(rows(all_options=True))


@dataclass(frozen=True)
class Visit:
    """Makes a visit in the set-up of a row.

    Attributes:
        engine: where the containers run.
        images: with a train, by the user to whom that belongs.
        folder: for the station.
    """

    engine: Engine
    images: dict[int, str]
    folder: Path

    def result(self, row: Row, *, in_file: bool) -> str:
        """Return how a visit ends, in the words of the page."""
        options = [*OPTIONS[row.options], *self._of_engine(row.engine)]
        user = USER if "--user" in options else 0
        options += self._with_key(user) if in_file else [*ID, *KEY]
        container = Container(self.engine, self.engine.create(self.images[user], options=options))
        facts = container.run().facts
        if facts["result"] == "visited":
            return f"`{facts['layers']}`"
        return f"{facts['result']}: `{facts['code']}`"

    def _with_key(self, user: int) -> list[str]:
        settle(self.folder, SECOND)
        key = self.folder / "run" / "pht" / "private_key.pem"
        key.chmod(0o600)
        os.chown(key, user, user)
        return station_folder(self.folder)

    def _of_engine(self, name: str) -> list[str]:
        if name == NO_LANDLOCK:
            profile = self.folder / "profile.json"
            profile.write_text(json.dumps(_WITHOUT_LANDLOCK))
            return ["--security-opt", f"seccomp={profile}"]
        return or_skip(lambda: gvisor(self.engine)) if name == GVISOR else []


@pytest.fixture
def visit(engine: Engine, arrived_image: str, owned_image: str, tmp_path: Path) -> Visit:
    """Makes visits with these images."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to give the key to the user of the container")
    return Visit(engine, {0: arrived_image, USER: owned_image}, tmp_path)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_with_the_key_in_a_file(row: Row, visit: Visit) -> None:
    assert visit.result(row, in_file=True) == row.with_file


@pytest.mark.parametrize("row", [*rows(all_options=False)], ids=str)
def test_with_the_key_in_a_variable(row: Row, visit: Visit) -> None:
    assert visit.result(row, in_file=False) == row.with_variable


def test_the_page_has_each_of_these_set_ups() -> None:
    assert {row.engine for row in ROWS} == {DOCKER, NO_LANDLOCK, GVISOR}
    assert {row.options for row in ROWS} == OPTIONS.keys()

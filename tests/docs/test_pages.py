"""The pages are right: their commands run as written, their tables and links are complete."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoint import errors
from entrypoint.cli.commands import COMMANDS
from entrypoint.cli.options import help_text
from entrypoint.report import Stage, State
from entrypoint.settings import names
from entrypoint.trust.anchors import parse
from tests.docs.pages import DOCUMENTS, README, ROOT, STATION, WAYS, blocks, rows


def _run(desk: Path, shown: list[str]) -> None:
    """Run blocks of commands as one script, in an empty folder."""
    environment = {
        "PATH": f"{desk / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(desk),
        "STATION": str(desk / "station"),
    }
    done = subprocess.run(
        ["sh", "-c", "set -eu\n" + "\n".join(shown)],
        cwd=desk / "desk",
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_ways_work_as_written_where_they_need_no_engine(desk: Path) -> None:
    shown = blocks("desk")
    assert len(shown) == 10
    _run(desk, shown)
    project = desk / "desk" / "patients"
    assert (project / "results" / "patients.txt").read_text() == "3"
    assert (project / "opened" / "patients.txt").read_text() == "2"
    assert (project / "seen" / "patients.txt").read_text() == "2"
    assert (project / "sum" / "sum.he.json").read_text() == '{"patients":3}'


def test_the_first_lines_of_the_readme_work_as_written(desk: Path) -> None:
    shown = blocks("readme", pages=(README,))
    assert len(shown) == 1
    _run(desk, shown)
    result = desk / "desk" / "patients" / "results" / "ages.csv"
    assert "Sjögren,4,229,57.2\n" in result.read_text("utf-8")


def test_every_block_of_commands_is_tried() -> None:
    pages = "".join(page.read_text() for page in (README, *WAYS))
    fences = re.findall(r"(<!-- test: \w+ -->)?\n```sh\n(.*?)```", pages, re.DOTALL)
    untried = [commands for mark, commands in fences if not mark]
    assert [line.split("#")[0].strip() for line in "".join(untried).splitlines()] == [
        "make demo",  # tests/examples runs the script that it starts
        "make test",  # this runs in it
    ]


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 150


def test_the_help_in_the_readme_is_what_the_program_prints() -> None:
    [shown] = blocks("help", pages=(README,))
    assert shown == help_text(COMMANDS)


def test_the_table_of_settings_is_complete() -> None:
    first_cells = " ".join(row[0] for row in rows(STATION, "## Settings"))
    named = set(re.findall(r"`([A-Z_]+)`", first_cells))
    old_spelling = set(re.findall(r"`(RSA_STATON\w+)`", STATION.read_text()))
    known = names.KNOWN | names.SECRET | {"STATION_ID"}
    assert named | old_spelling == known


def test_settings_that_are_not_built_are_named() -> None:
    paragraph = STATION.read_text().split("planned but not built\n(", 1)[1].split(")", 1)[0]
    assert set(re.findall(r"`(PHT_\w+)`", paragraph)) == names.NOT_BUILT


def test_the_lines_of_the_file_of_pinned_keys_are_read() -> None:
    [shown] = blocks("trust")
    assert [str(holder) for holder in parse(STATION, shown.encode())] == [
        *("user 4711", "station ward-b", 'station "Ward B, 2nd floor"', "builder")
    ]


def test_every_stage_and_state_of_the_status_line_is_named() -> None:
    cells = {row[0]: row[1] for row in rows(STATION, "## When something goes wrong")}
    assert set(re.findall(r"`(\w+)`", cells["`stage`"])) == set(Stage)
    assert set(re.findall(r"`(\w+)`", cells["`state`"])) == set(State)


def test_the_table_of_exit_statuses_is_complete() -> None:
    shown = {int(row[0]) for row in rows(STATION, "## Exit statuses") if row[0].isdigit()}
    assert shown == {0, 124, 130} | _statuses(errors.PhtError)


def _statuses(error: type[errors.PhtError]) -> set[int]:
    return {error.status}.union(*map(_statuses, error.__subclasses__()))


def _anchors(document: Path) -> set[str]:
    """Return the anchors that a hosted page gives its headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", document.read_text())
    for target, anchor in links:
        page = document.parent / target if target else document
        assert page.exists(), f"a link leads to {target}"
        assert not anchor or anchor in _anchors(page), f"a link leads to {target}#{anchor}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paragraphs_are_wrapped(document: Path) -> None:
    paragraphs = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in paragraphs.splitlines() if not line.startswith("|")]
    assert [line for line in lines if len(line) > 104] == []


def test_every_heading_that_the_code_refers_to_exists() -> None:
    named = []
    for source in [*ROOT.glob("entrypoint/**/*.py"), *ROOT.glob("master_images/*.py")]:
        text = re.sub(r"\n\s*#? ?", " ", source.read_text())
        named += re.findall(r'(docs/[\w-]+\.md), "([^"]+)"', text)
    headings = {
        (f"docs/{page.name}", heading)
        for page in ROOT.glob("docs/*.md")
        for heading in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    }
    assert len(named) > 10
    assert set(named) - headings == set()

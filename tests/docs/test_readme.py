"""Everything that the README says can be tried: its commands run, its tables are complete."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoint import errors
from entrypoint.cli import options
from entrypoint.settings import names
from entrypoint.settings.station_folder import FILES_NOT_BUILT
from tests.layers.test_refusals import refusals

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def blocks(*kinds: str) -> list[str]:
    """Return what stands in the README, in its order, between fences marked with kinds of tests.

    `desk` needs the program only, `docker` an engine, `clone` the project's own folder.
    """
    marked = rf"<!-- test: (?:{'|'.join(kinds)}) -->\n```\w*\n(.*?)```"
    return re.findall(marked, README, re.DOTALL)


def _rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table behind `heading`."""
    table = README.split(heading, 1)[1].split("\n|", 1)[1].split("\n\n", 1)[0]
    lines = [line.strip("|").split("|") for line in ("|" + table).splitlines()]
    return [[cell.strip() for cell in cells] for cells in lines[2:]]


def test_what_needs_no_engine_works_as_written(desk: Path) -> None:
    shown = blocks("desk")
    assert len(shown) == 7
    environment = {
        "PATH": f"{desk / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(desk),
        "STATION": str(desk / "station"),
    }
    script = "set -eu\n" + "\n".join(shown)
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=desk / "desk",
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (desk / "desk" / "results" / "patients.txt").read_text() == "3"
    assert (desk / "desk" / "opened" / "patients.txt").read_text() == "2"
    assert (desk / "desk" / "seen" / "patients.txt").read_text() == "2"
    assert "Traceback" not in done.stderr


def test_every_block_of_commands_is_tried() -> None:
    fences = re.findall(r"(<!-- test: \w+ -->)?\n```sh\n(.*?)```", README, re.DOTALL)
    untried = [commands for mark, commands in fences if not mark]
    assert [line.split("#")[0].strip() for line in "".join(untried).splitlines()] == [
        "make demo",  # tests/examples runs the script that it starts
        "make test",  # this runs in it
    ]


def test_the_help_in_the_readme_is_what_the_program_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    [shown] = blocks("help")
    assert shown == options.help_text()


def test_the_table_of_settings_is_complete() -> None:
    named = set(re.findall(r"`([A-Z_]+)`", " ".join(row[0] for row in _rows("### Settings"))))
    old_spelling = set(re.findall(r"`(RSA_STATON\w+)`", README))
    known = names.KNOWN | names.SECRET | {"STATION_ID"}
    assert named | old_spelling == known


def test_settings_that_are_not_built_are_named() -> None:
    paragraph = README.split("planned but not built (", 1)[1].split(")", 1)[0]
    assert set(re.findall(r"`(PHT_\w+)`", paragraph)) == names.NOT_BUILT
    assert all(f"`{name}`" in paragraph for name in FILES_NOT_BUILT)


def test_the_table_of_exit_statuses_is_complete() -> None:
    shown = {int(row[0]) for row in _rows("### Exit statuses") if row[0].isdigit()}
    classes = {error.status for error in errors.PhtError.__subclasses__()}
    assert shown == {0, 124, 130, errors.PhtError.status} | classes


def test_the_codes_of_refusals_in_the_documents_are_those_of_the_program() -> None:
    document = (ROOT / "docs" / "security.md").read_text()
    table = document.split("how it is refused", 1)[1].split("\n## ", 1)[0]
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", table))
    made = {texts[0] for _, texts in refusals() if texts}
    assert len(named) > 20
    assert named <= made


def test_every_file_that_the_documents_link_to_exists() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_paragraphs_are_wrapped(document: Path) -> None:
    paragraphs = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in paragraphs.splitlines() if not line.startswith("|")]
    assert [line for line in lines if len(line) > 104] == []

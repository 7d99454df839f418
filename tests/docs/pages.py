"""The pages of the project, and the blocks of commands in them that tests run."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
AUTHOR = ROOT / "docs" / "author.md"
STATION = ROOT / "docs" / "station.md"
ENGINES = ROOT / "docs" / "engines.md"
RESEARCHER = ROOT / "docs" / "researcher.md"
WAYS = (AUTHOR, STATION, RESEARCHER)
"""The way of one train: each page goes on where the page before has ended."""

DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("examples/*/*.md")]


def blocks(*kinds: str, pages: tuple[Path, ...] = WAYS) -> list[str]:
    """Return the blocks of these pages, in their order, that are marked with these kinds of test.

    `desk` needs the program only, `docker` an engine, `clone` the project's own folder, `selinux` a
    train that has arrived; `trust` is no command but a file.
    """
    marked = rf"<!-- test: (?:{'|'.join(kinds)}) -->\n```\w*\n(.*?)```"
    return [block for page in pages for block in re.findall(marked, page.read_text(), re.DOTALL)]


def block_with(command: str) -> str:
    """Return the only block for an engine with a command."""
    [block] = [block for block in blocks("docker") if command in block]
    return block


def rows(page: Path, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, a list a row."""
    table = page.read_text().split(f"{heading}\n", 1)[1].split("\n|", 1)[1].split("\n\n", 1)[0]
    lines = [line.strip("|").split("|") for line in ("|" + table).splitlines()]
    return [[cell.strip() for cell in cells] for cells in lines[2:]]

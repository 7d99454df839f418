"""The picture of the house in docs/architecture.md names exactly the rooms that exist."""

import ast
import re

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()
PICTURE = re.findall(r"^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[0]


def test_the_picture_names_every_room_once() -> None:
    package = ROOT / "entrypoint"
    modules = [path.name for path in package.glob("*.py") if path.name != "__init__.py"]
    rooms = [f"{path.parent.name}/" for path in package.glob("*/__init__.py")]
    assert sorted(_rooms(PICTURE)) == sorted(modules + rooms)


def test_the_picture_shows_the_floors_and_purposes_that_the_imports_are_tested_by() -> None:
    source = ast.parse((ROOT / "tests" / "layers" / "test_layers.py").read_text())
    [floors] = [
        ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FLOORS"
    ]
    line = re.compile(r"^(\w+)(?:/|\.py) +(.*)$", re.MULTILINE)
    assert [dict(line.findall(part)) for part in PICTURE.split("─\n")] == floors


def _rooms(text: str) -> list[str]:
    return re.findall(r"^(\w+(?:/|\.py)) ", text, re.MULTILINE)


def test_every_module_that_the_page_names_exists() -> None:
    named = re.findall(r"`(\w+/\w+\.py)`", PAGE)
    assert len(named) > 5
    assert [path for path in named if not (ROOT / "entrypoint" / path).exists()] == []

"""Files stay short, and a test module is imported by nobody, so that each can be read alone."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 400
"""Lines of a file, in the program and in its tests."""

FILES = {
    str(path.relative_to(ROOT)): path
    for folder in ("entrypoint", "tests", "master_images", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def imported_tests(source: str) -> list[str]:
    """Return the test modules that some source imports."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if any(part.startswith("test_") for part in name.split("."))]


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_short_and_imports_no_test_module(name: str) -> None:
    source = FILES[name].read_text("utf-8")
    assert len(source.splitlines()) <= LONGEST
    assert imported_tests(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import tests.unit.test_tree",
        "from tests.unit import test_tree",
        "from tests.unit.test_tree import helper",
        "def f():\n    from tests.unit.test_tree import helper",
    ],
)
def test_an_imported_test_module_is_found(source: str) -> None:
    assert imported_tests(source)


def test_other_imports_are_none_of_test_modules() -> None:
    assert imported_tests("import pytest\nfrom tests.station import check\n") == []

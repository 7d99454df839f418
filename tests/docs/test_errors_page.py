"""docs/errors.md lists every error code, and is what the code makes it."""

import ast
import re

import pytest

from tests.docs.errors_page import PAGE, page
from tests.docs.pages import DOCUMENTS, ROOT
from tests.docs.placeholders import PLACEHOLDERS
from tests.docs.raised import raised
from tests.docs.variants import variants
from tests.docs.wording import Code

SOURCES = [path.read_text() for path in (ROOT / "entrypoint").rglob("*.py")]


def test_the_page_is_what_the_code_makes_it() -> None:
    assert PAGE.read_text() == page(), "docs/errors.md is old; make errors-page writes it anew"


def test_every_code_in_the_source_is_on_the_page() -> None:
    of_an_error = r'(?:Error|Train|Input|Failure|[a-z]__)\(\s*"([a-z]+(?:-[a-z]+)*)",'
    codes = {code for source in SOURCES for code in re.findall(of_an_error, source)}
    shown = re.findall(r"^### `([a-z-]+)`$", PAGE.read_text(), re.MULTILINE)
    assert len(codes) > 90
    assert codes <= set(shown)


def test_a_code_appears_once_in_a_section() -> None:
    sections = PAGE.read_text().split("\n## ")
    shown = [re.findall(r"^### (.*)$", section, re.MULTILINE) for section in sections]
    assert [codes for codes in shown if len(codes) != len(set(codes))] == []


def test_every_code_has_a_message_and_a_hint_in_words() -> None:
    in_words = {
        error.code
        for error in raised()
        if re.search("[a-z]", "".join(error.messages)) and re.search("[a-z]", "".join(error.hints))
    }
    assert {error.code for error in raised()} - in_words == set()


def test_every_line_is_in_words_with_placeholders_that_tell_something() -> None:
    items = re.findall(r"^ *- (.*(?:\n +[^ -].*)*)", PAGE.read_text(), re.MULTILINE)
    assert len(items) > 250
    for item in items:
        assert re.search("[a-z]{2}.* [a-z]{2}", item, re.DOTALL), item
    placeholders = {
        word
        for error in raised()
        for text in (*error.messages, *error.hints)
        for word in re.findall("⟨(.*?)⟩", text)
    }
    assert placeholders <= PLACEHOLDERS.keys(), "give their names a word in placeholders.py"


def test_the_example_of_the_page_is_the_wording_of_the_code() -> None:
    [example] = re.findall("^```\n(.*?)```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    [error] = [error for error in raised() if f"[{error.code}]" in example]
    assert error.messages[0].replace("⟨FOLDER⟩", "train") in example
    assert f"hint: {error.hints[0]}\n" in example


@pytest.mark.parametrize(
    ("source", "pairs"),
    [
        (
            "def g(what, hint):\n    f(f'it {what}', hint)\ng('sinks', 'swim')\ng('burns', 'run')",
            [("it sinks", "swim"), ("it burns", "run")],
        ),
        (
            "def g():\n    a, b = h()\n    f(a, b)\n"
            "def h():\n    if x:\n        return 'x', 'y'\n    return i()\n"
            "def i():\n    return 'v', 'w'",
            [("x", "y"), ("v", "w")],
        ),
        ("def g():\n    if a := h():\n        f(a, 'x')\ndef h():\n    return 'y'", [("y", "x")]),
    ],
)
def test_a_message_goes_with_its_hint(source: str, pairs: list[tuple[str, str]]) -> None:
    code = Code({"entrypoint.errors": ast.parse(source)})
    [place] = [place for place in code.calls if place.callee == "f"]
    found = [
        (message, hint)
        for variant in variants(code, place, place.call.args)
        for message in code.texts(place.call.args[0], variant)
        for hint in code.texts(place.call.args[1], variant)
    ]
    assert found == pairs


def test_the_codes_that_other_pages_name_exist() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    table = text.split("how it is refused", 1)[1].split("\n## ", 1)[0]
    named = re.findall(r"`([a-z]+(?:-[a-z]+)+)`", table)
    for document in DOCUMENTS:
        named += re.findall(r"\(`([a-z]+(?:-[a-z]+)+)`[,)]", document.read_text())
    assert len(set(named)) > 30
    assert set(named) - {error.code for error in raised()} == set()


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("f('plain')", ["plain"]),
        ("f(f'no {path} here')", ["no ⟨PATH⟩ here"]),
        ("f('a' if there else 'b')", ["a", "b"]),
        ("f(f'{error.strerror or \"broken\"}')", ["broken", "⟨REASON⟩"]),
        ("def g(what):\n    f(f'it {what}')\ng('sinks')\ng('burns')", ["it sinks", "it burns"]),
        ("def g():\n    what = 'x' + h()\n    f(what)\ndef h():\n    return 'y'", ["xy"]),
        ("def g():\n    a, b = h()\n    f(b)\ndef h():\n    return 'x', 'y'", ["y"]),
        ("f(f'{len(x)} of {a + b}')", ["⟨NUMBER⟩ of ⟨NUMBER⟩"]),
        ("f(f'{folder / \"name\"}')", ["⟨FOLDER⟩/name"]),
    ],
)
def test_the_wordings_of_an_expression_are_found(source: str, texts: list[str]) -> None:
    code = Code({"entrypoint.errors": ast.parse(source)})
    [place] = [place for place in code.calls if place.callee == "f"]
    assert code.texts(place.call.args[0], place) == texts

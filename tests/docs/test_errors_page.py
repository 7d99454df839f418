"""docs/errors.md lists every error code, and is what the code makes it."""

import re

from tests.docs.errors_page import PAGE, page
from tests.docs.pages import DOCUMENTS, ROOT
from tests.docs.raised import COMPUTED, PYTHON_TOO_OLD, raised

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


def test_every_message_and_hint_has_words_of_its_own() -> None:
    for error in raised():
        for text in (error.message, error.hint):
            assert re.search("[a-z]{2}.* [a-z]{2}", text), f"{error.code}: name it in COMPUTED"


def test_no_text_has_gaps_or_values_of_python() -> None:
    for error in raised():
        for text in (error.message, error.hint):
            assert not re.search(r"  | ,|^ | $|\bNone\b|[{}<>]", text), error


def test_every_computed_text_is_used() -> None:
    texts: dict[str, str] = {}
    for error in raised():
        texts[error.code] = texts.get(error.code, "") + error.message + error.hint
    assert [key for key, words in COMPUTED.items() if words not in texts.get(key[0], "")] == []


def test_the_message_and_the_hint_that_a_caller_gives_stand_together() -> None:
    hints = {error.hint for error in raised() if error.message.endswith(": nothing is open")}
    assert hints == {"there is nothing to undo"}


def test_the_words_for_an_old_python_are_those_of_the_code() -> None:
    source = (ROOT / "entrypoint" / "__main__.py").read_text()
    assert PYTHON_TOO_OLD.hint in source
    assert PYTHON_TOO_OLD.message.split(" 3.11")[0] in source


def test_the_example_of_the_page_is_the_wording_of_the_code() -> None:
    [example] = re.findall("^```\n(.*?)```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    [error] = [error for error in raised() if f"[{error.code}]" in example]
    assert error.message.replace("FOLDER", "train") in example
    assert f"hint: {error.hint}\n" in example


def test_the_codes_that_other_pages_name_exist() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    table = text.split("how it is refused", 1)[1].split("\n## ", 1)[0]
    named = re.findall(r"`([a-z]+(?:-[a-z]+)+)`", table)
    for document in DOCUMENTS:
        named += re.findall(r"\(`([a-z]+(?:-[a-z]+)+)`[,)]", document.read_text())
    assert len(set(named)) > 30
    assert set(named) - {error.code for error in raised()} == set()

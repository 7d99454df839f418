"""How refusals are worded, wherever the package raises one."""

import re

from tests.layers.refusals import refusals

KEBAB_CASE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def test_codes_are_in_kebab_case() -> None:
    codes = {where: texts[0] for where, texts in refusals() if texts}
    assert codes
    assert {
        where: code
        for where, code in codes.items()
        if code != "…" and not KEBAB_CASE.fullmatch(code)
    } == {}


def test_messages_are_lower_case_without_a_full_stop() -> None:
    messages = {where: texts[1] for where, texts in refusals() if len(texts) > 1}
    assert messages
    # A name in capitals, as RSA_STATION_PRIVATE_KEY, may come first.
    wrong = re.compile(r"[A-Z][a-z].*|.*\.")
    assert {where: text for where, text in messages.items() if wrong.fullmatch(text)} == {}

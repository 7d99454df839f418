"""The page on validating images has all codes, and its commands work as written."""

from entrypoint.images.differences import RULES
from tests.docs.pages import ROOT, rows

PAGE = ROOT / "docs" / "validation.md"


def test_the_table_of_codes_is_complete() -> None:
    expected = [
        [f"`{code}`", "refused" if rule.refused else "named", rule.why]
        for code, rule in RULES.items()
    ]
    assert rows(PAGE, "## Codes") == expected

"""The table of `docs/engines.md` has all rows; `test_visits` compares the layers with visits."""

from tests.engines.cases import CASES
from tests.engines.elsewhere import ALL_CASES, ELSEWHERE
from tests.engines.kinds import KINDS, NOT_RUN
from tests.engines.page import PAGE, rows


def test_each_kind_of_engine_has_a_row() -> None:
    found = [(row.engine, row.not_run) for row in rows()[: len(KINDS)]]
    told = [(kind, NOT_RUN.get(kind, "–")) for kind in KINDS]
    assert found == told, "make engines writes the table"


def test_the_row_of_a_kind_names_cases_and_the_first_works() -> None:
    for row in rows()[: len(KINDS)]:
        works = [*CASES] if row.works == ALL_CASES else row.works.split(", ")
        assert works == [case for case in CASES if case in works]
        assert works[0] == next(iter(CASES)), "that is what CI runs"


def test_the_rows_kept_by_hand_are_on_the_page() -> None:
    assert rows()[len(KINDS) :] == ELSEWHERE, "make engines writes the table"


def test_the_page_names_each_case() -> None:
    section = PAGE.read_text().partition("\n## What was run\n")[2].partition("\n## ")[0]
    assert [case for case in CASES if f"- **{case}**" not in section] == []

"""The table of `docs/engines.md` has all rows; `test_visits` compares the layers with visits."""

import subprocess
from pathlib import Path

import pytest

from tests.engines.__main__ import main
from tests.engines.cases import CASES
from tests.engines.elsewhere import ALL_CASES, ELSEWHERE
from tests.engines.kinds import KINDS, NOT_RUN
from tests.engines.page import PAGE, rows

PASSED = {"kind": "podman", "case": "visit", "layers": "`uid`", "version": "9.9"}
REPORT = "<testcase><properties>{}</properties></testcase>".format(
    "".join(f'<property name="{name}" value="{value}"/>' for name, value in PASSED.items())
)


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


@pytest.mark.parametrize(("status", "version"), [(0, "9.9, Linux"), (1, "4.3.1, Linux")])
def test_the_table_is_written_unless_a_case_fails(
    status: int, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
        [report] = [word for word in command if word.startswith("--junit-xml=")]
        Path(report.removeprefix("--junit-xml=")).write_text(REPORT)
        return subprocess.CompletedProcess(command, status)

    page = tmp_path / "engines.md"
    page.write_text(PAGE.read_text())
    monkeypatch.setattr("tests.engines.page.PAGE", page)
    monkeypatch.setattr(subprocess, "run", run)

    assert main() == status

    [row] = [row for row in rows() if row.engine == "podman"]
    assert row.run_with.startswith(version)

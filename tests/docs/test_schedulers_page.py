"""The page for schedulers agrees with the errors, with the station's page, and with the DAG."""

import re
from collections import defaultdict

import pytest

import status_line
from entrypoint import errors
from status_line import Next, decide
from tests.docs.pages import ROOT, STATION, rows
from tests.docs.raised import Raised, raised

PAGE = ROOT / "docs" / "schedulers.md"
OF_THE_TRAIN = {"the train's own, 1–255", "124", "130, 143", "137"}
"""Rows of statuses that no class of errors has."""

AGAIN, OTHERWISE, WHO = 1, 2, 3
"""Columns of the table."""


def table() -> dict[str, list[str]]:
    return {row[0]: row for row in rows(PAGE, "## By exit status")}


def by_status() -> dict[str, list[Raised]]:
    found: defaultdict[str, list[Raised]] = defaultdict(list)
    for error in raised():
        if error.code != "train-failed":
            found[str(error.error.status)].append(error)
    return found


def roles(found: list[Raised]) -> set[str]:
    names = {name for error in found for name in error.by.split(" or ")}
    return {"station" if name == errors.OPERATOR else name for name in names}


def test_every_status_has_a_row() -> None:
    assert set(table()) == {"0", *OF_THE_TRAIN, *by_status()}
    of_station = {row[0] for row in rows(STATION, "## Exit statuses")}
    # 137 is a signal of the engine; the station's page has 143 among those of the train.
    assert of_station - set(table()) == {"130"}
    assert set(table()) - of_station == {"130, 143", "137"}


@pytest.mark.parametrize("status", sorted(by_status()))
def test_a_row_says_what_the_errors_say(status: str) -> None:
    found, row = by_status()[status], table()[status]
    again = sorted({f"`{error.code}`" for error in found if error.retry})
    assert row[AGAIN] == (", ".join(again) or "–")
    assert set(re.split(", | or ", row[WHO])) == roles(found)


@pytest.mark.parametrize("status", sorted(by_status()))
def test_the_dag_does_what_a_row_says(status: str) -> None:
    row = table()[status]
    for error in by_status()[status]:
        retry = "yes" if error.retry else "no"
        facts = {"result": "refused", "status": status, "code": error.code, "retry": retry}
        match decide(facts):
            case Next.AGAIN:
                assert f"`{error.code}`" in row[AGAIN]
            case Next.FAIL:
                assert row[OTHERWISE] == "fails"
            case Next.GO_ON | Next.HAND_OVER:
                assert row[OTHERWISE].startswith("goes on: ")


@pytest.mark.parametrize(
    ("line", "status", "expected"),
    [
        ("pht: result=visited status=0 retry=no", 0, Next.HAND_OVER),
        ('{"level": "status", "result": "visited", "status": 0}', 0, Next.HAND_OVER),
        ("pht: result=train-failed status=3 retry=no", 3, Next.FAIL),
        ("pht: result=train-failed status=75 retry=no", 75, Next.FAIL),
        ("pht: result=stopped status=143 retry=yes", 143, Next.AGAIN),
        ("pht: result=hosted status=0", 0, Next.GO_ON),
        ("pht: result=visited status=0 retry=no", 137, Next.AGAIN),
        ("pht: result=visited status=137 retry=no", 137, Next.AGAIN),
        ("pht: result=visited status=0 retry=no", 1, Next.AGAIN),
        ("pht: result=visited", 0, Next.AGAIN),
        (" pht: result=visited status=0", 0, Next.AGAIN),
        ('{"level": "status", "result": "visited"', 0, Next.AGAIN),
        ('{"level": "status", "status": 255}', 255, Next.AGAIN),
        ('{"level": "status", "result": ' + "[" * 100_000, 0, Next.AGAIN),
        ("", 0, Next.AGAIN),
    ],
)
def test_a_status_line_counts_only_with_the_status_of_the_container(
    line: str, status: int, expected: Next
) -> None:
    assert decide(status_line.read(line, status)) is expected

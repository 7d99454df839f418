"""Hostile images are refused, each for its own reason, and their honest twins are not."""

import io
from typing import NamedTuple

import pytest

from entrypoint.errors import PhtError
from entrypoint.images.archive import read_image
from entrypoint.images.masters import master_of
from entrypoint.images.validate import validate
from tests.adversarial.hostile_images.all_cases import CASES
from tests.adversarial.hostile_images.case import Case
from tests.archives import MASTER

APPROVED = [master_of(read_image(io.BytesIO(MASTER)), "master")]

on_each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


class Reason(NamedTuple):
    """A reason for which an image is refused: the code, and what is named."""

    code: str
    named: str


def reasons(archive: bytes) -> list[Reason]:
    """Return all reasons for which an image is refused."""
    try:
        verdict = validate(read_image(io.BytesIO(archive)), APPROVED)
    except PhtError as error:
        return [Reason(error.code, error.message)]
    return [Reason(one.code, one.where) for one in verdict.differences if one.refused]


@on_each_case
def test_a_hostile_image_is_refused_for_its_own_reason(case: Case) -> None:
    found = reasons(case.archive)
    assert [one for one in found if one.code == case.code and case.where in one.named], found


@on_each_case
def test_its_honest_twin_is_accepted(case: Case) -> None:
    assert not reasons(case.honest)


def test_each_case_is_another_one() -> None:
    assert len({case.name for case in CASES}) == len({case.archive for case in CASES}) == len(CASES)

"""Visits with the hostile train in real containers: what it obtains and changes.

One case of each kind is always run, all others by `make attacks`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.attacks.endings import ENDINGS
from tests.attacks.hostile.attempts import REGISTER, Gain, Outcome
from tests.attacks.hostile.train import in_order
from tests.attacks.remaining import REMAINING, allowed, table
from tests.attacks.setups import (
    ALL_OTHERS,
    GVISOR,
    NO_RIGHTS,
    ONE_OF_EACH_KIND,
    RECOMMENDED,
    USER,
    Case,
)
from tests.attacks.visits import hostile_train, results_of
from tests.containers.engine import Engine
from tests.containers.fixtures import gvisor, or_skip
from tests.station import REPOSITORY, new_train

CASES = [
    *ONE_OF_EACH_KIND,
    *(pytest.param(case, marks=pytest.mark.attacks) for case in ALL_OTHERS),
]
ENDING_CASES = [
    Case("default"),
    Case(RECOMMENDED, has_private_data=True),
    pytest.param(Case(RECOMMENDED), marks=pytest.mark.attacks),
    pytest.param(Case(USER), marks=pytest.mark.attacks),
    pytest.param(Case(NO_RIGHTS), marks=pytest.mark.attacks),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_train_obtains_and_changes_no_more_than_is_listed(
    case: Case, engine: Engine, make_runner: Callable[[str], str], tmp_path: Path
) -> None:
    runner = or_skip(lambda: make_runner(case.base))
    if case.setup == GVISOR:
        or_skip(lambda: gvisor(engine))
    ending = case.visit(engine, runner, hostile_train(tmp_path), tmp_path)
    if case.may_be_refused and ending.done.facts.get("code") == "key-reachable":
        return
    results = results_of(ending)
    assert [result.name for result in results] == [attempt.name for attempt in in_order()]
    succeeded = [result for result in results if result.outcome == Outcome.SUCCEEDED]
    keys = [str(one) for one in succeeded if REGISTER[one.name].gain == Gain.KEY]
    assert not keys, "\n".join(keys)
    unlisted = [str(one) for one in succeeded if one.name not in allowed(case)]
    assert not unlisted, "\n".join(unlisted)
    # Where the train can replace the configuration, the visit fails because of that.
    noticed = "train-changed-itself" if "config-written" in allowed(case) else None
    assert ending.done.facts.get("code") == noticed, ending.done.stderr


@pytest.mark.parametrize("case", ENDING_CASES, ids=str)
@pytest.mark.parametrize("name", ENDINGS)
def test_no_ending_does_harm(
    name: str, case: Case, engine: Engine, runner_image: str, tmp_path: Path
) -> None:
    hostile = ENDINGS[name]
    opt = new_train(tmp_path, hostile.script)
    ending = case.visit(engine, runner_image, opt, tmp_path, *hostile.options)
    assert not hostile.is_harmful(ending), ending.done.stderr


def test_nothing_that_is_signed_or_started_next_is_listed_for_the_recommended_line() -> None:
    for case in (*ONE_OF_EACH_KIND, *ALL_OTHERS):
        if case.setup == RECOMMENDED:
            gains = {REGISTER[name].gain for name in allowed(case)}
            assert gains <= {Gain.SYSTEM, Gain.FAILURE}


def test_no_way_to_the_key_is_listed() -> None:
    listed = {REGISTER[name].gain for one in REMAINING for name in one.attempts}
    assert Gain.KEY not in listed


def test_every_name_that_is_listed_is_one_of_an_attempt() -> None:
    assert {name for one in REMAINING for name in one.attempts} <= set(REGISTER)


def test_the_page_on_security_has_the_same_list() -> None:
    assert table() in (REPOSITORY / "SECURITY.md").read_text()

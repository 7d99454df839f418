"""PHT_EXPECT_TRAIN: the volume of a container may hold the train of an earlier visit."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference
from tests.station import (
    assert_explained,
    assert_refused,
    check,
    new_route_train,
    new_train,
    pht,
    settle,
    snapshot,
    visit,
)

WRITES = "import os, pathlib; pathlib.Path(os.environ['PHT_RESULTS_DIR'], 'new').touch()"
MakeTrain = Callable[..., Path]

generations = pytest.mark.parametrize(
    "make_train", [new_train, new_route_train], ids=["flat", "route"]
)


def session(opt: Path) -> str:
    return str(reference.load_config(opt)["session_id"])


@generations
def test_the_status_line_names_the_train(make_train: MakeTrain, tmp_path: Path) -> None:
    opt = make_train(tmp_path, "raise SystemExit(3)")
    settle(tmp_path, "station_1", PHT_EXPECT_TRAIN=session(opt))
    for done in (check(tmp_path), visit(tmp_path)):
        assert done.facts["session"] == session(opt), done.stderr
        assert done.facts["train"] in opt.joinpath("train_config.json").read_text()


@generations
def test_the_train_of_an_earlier_visit_is_refused(make_train: MakeTrain, tmp_path: Path) -> None:
    make_train(tmp_path, WRITES)
    settle(tmp_path, "station_1")
    train = visit(tmp_path).facts["train"]

    settle(tmp_path, "station_1", PHT_EXPECT_TRAIN="another #1")

    assert_refused(tmp_path, 76, "unexpected-train")
    settle(tmp_path, "station_1", PHT_EXPECT_TRAIN=train)
    assert visit(tmp_path).facts["code"] == "already-visited"


def test_another_train_that_waits_for_sealing_stays_as_it_is(tmp_path: Path) -> None:
    opt = new_train(tmp_path, WRITES)
    settle(tmp_path, "station_1")
    assert pht("pre-run", root=tmp_path).status == 0
    before = snapshot(opt)

    settle(tmp_path, "station_1", PHT_EXPECT_TRAIN="another")
    done = pht("post-run", root=tmp_path)

    assert_explained(done, 76, "unexpected-train")
    assert snapshot(opt) == before
    settle(tmp_path, "station_1", PHT_EXPECT_TRAIN=done.facts["session"])
    assert pht("post-run", root=tmp_path).facts["result"] == "visited"


def test_a_host_may_expect_a_train_too(tmp_path: Path) -> None:
    new_train(tmp_path, WRITES)
    variables = {"PHT_HOST_PROTOCOL": "1", "PHT_EXPECT_TRAIN": "another"}
    assert_explained(visit(tmp_path, env=variables), 76, "unexpected-train")

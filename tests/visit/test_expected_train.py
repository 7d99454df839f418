"""PHT_EXPECT_TRAIN: the volume of a container may hold the train of an earlier visit."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference
from tests.station import (
    RUNS_TRAIN,
    assert_explained,
    assert_refused,
    check,
    edit,
    export,
    new_route_train,
    new_train,
    pht,
    settle,
    snapshot,
    start,
    visit,
    wait_until,
)

WRITES = "import os, pathlib; pathlib.Path(os.environ['PHT_RESULTS_DIR'], 'new').touch()"
WAITS = WRITES + "\nimport time; time.sleep(60)"
COMMANDS = [["run", "--", *RUNS_TRAIN], ["pre-run"], ["post-run"], ["undo"], ["check"], ["query"]]
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


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_another_train_that_is_open_stays_as_it_is(command: list[str], tmp_path: Path) -> None:
    opt = new_train(tmp_path, WRITES)
    settle(tmp_path, "station_1")
    assert pht("pre-run", root=tmp_path).status == 0
    before = snapshot(opt)

    settle(tmp_path, "station_1", PHT_EXPECT_TRAIN="another")
    done = pht(*command, root=tmp_path)

    assert_explained(done, 76, "unexpected-train")
    assert done.facts["state"] == "waiting"
    assert snapshot(opt) == before
    settle(tmp_path, "station_1", PHT_EXPECT_TRAIN=done.facts["session"])
    assert pht("post-run", root=tmp_path).facts["result"] == "visited"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_another_train_that_was_killed_is_not_undone(command: list[str], tmp_path: Path) -> None:
    opt = new_train(tmp_path, WAITS)
    settle(tmp_path, "station_1")
    running = start("run", "--", *RUNS_TRAIN, root=tmp_path)
    wait_until((opt / "pht_results" / "new").exists)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    before = snapshot(opt)

    settle(tmp_path, "station_1", PHT_EXPECT_TRAIN="another")
    done = pht(*command, root=tmp_path)

    assert_explained(done, 76, "unexpected-train")
    assert done.facts["state"] == "unfinished"
    assert snapshot(opt) == before


def test_a_host_may_expect_a_train_too(tmp_path: Path) -> None:
    new_train(tmp_path, WRITES)
    variables = {"PHT_HOST_PROTOCOL": "1", "PHT_EXPECT_TRAIN": "another"}
    assert_explained(visit(tmp_path, env=variables), 76, "unexpected-train")


def test_a_host_is_told_of_another_train_before_what_is_wrong_with_that(tmp_path: Path) -> None:
    opt = new_train(tmp_path, WRITES)
    edit(opt, lambda config: config.update(e_h="00" * 64))
    variables = {"PHT_HOST_PROTOCOL": "1", "PHT_EXPECT_TRAIN": "another"}
    assert_explained(visit(tmp_path, env=variables), 76, "unexpected-train")


def test_a_train_cannot_take_the_session_of_another_for_its_id(tmp_path: Path) -> None:
    """Its author chooses the id; the session is a random number of whoever has built it."""
    opt = new_train(tmp_path, WRITES)
    awaited = "5a" * 64
    edit(opt, lambda config: config.update(train_id=awaited))
    output = tmp_path / "train.tar"
    words = ["export", "--output", str(output)]
    done = pht(*words, root=tmp_path, env={"PHT_EXPECT_TRAIN": awaited})
    assert_explained(done, 76, "unexpected-train")
    assert not output.exists()
    assert pht(*words, root=tmp_path, env={"PHT_EXPECT_TRAIN": session(opt)}).status == 0


@generations
def test_an_export_says_which_train_it_holds(make_train: MakeTrain, tmp_path: Path) -> None:
    opt = make_train(tmp_path, WRITES)
    for output in ("-", tmp_path / "train.tar"):
        done = export(tmp_path, output)
        assert (done.status, done.facts["session"]) == (0, session(opt)), done.stderr
        assert done.facts["train"] in opt.joinpath("train_config.json").read_text()


@pytest.mark.parametrize("by_folder", [True, False], ids=["station.env", "environment"])
def test_the_train_of_an_earlier_visit_is_not_exported(by_folder: bool, tmp_path: Path) -> None:
    new_train(tmp_path, WRITES)
    variables = {"PHT_EXPECT_TRAIN": "another"}
    if by_folder:
        settle(tmp_path, "station_1", None, **variables)
    output = tmp_path / "train.tar"
    words = ["export", "--output", str(output)]
    done = pht(*words, root=tmp_path, env={} if by_folder else variables)
    assert_explained(done, 76, "unexpected-train")
    assert not output.exists()

"""Images that have run before: published hosts make them of what a failed run has left."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference, reference_route
from tests.reference import STATIONS
from tests.station import (
    BUILDER_KEY,
    USER_KEY,
    assert_explained,
    new_train,
    snapshot,
    visit,
)
from tests.visit.route_train import key_of

SAID_SO = {"PHT_HOST_PROTOCOL": "1"}
BEFORE_FIRST = (76, "results-before-first-stop")
LATER = (77, "results-not-opened")

ENVIRONMENTS = pytest.mark.parametrize(
    "env", [SAID_SO, {}, {"PHT_HOST_PROTOCOL": "auto"}], ids=["said so", "unset", "auto"]
)

SCRIPT = """
import os, pathlib, sys
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
number = len(list(results.iterdir()))
(results / f"of-run-{number}").write_text("half of a result")
print("ran", flush=True)
"""


def at_the_first_stop(root: Path, end: str = "") -> Path:
    """Build a train of the route generation as a host opens it at its first stop."""
    opt = new_train_on_route(root, SCRIPT + end)
    reference_route.published_pre_run(opt, STATIONS[0], key_of(STATIONS[0]))
    return opt


def at_the_second_stop(root: Path, end: str = "") -> Path:
    """Build such a train at its second stop, with a result of the first."""
    opt = at_the_first_stop(root, end)
    (opt / "pht_results" / "of-run-0").write_text("a result")
    reference_route.published_post_run(opt, STATIONS[0], key_of(STATIONS[0]))
    reference_route.published_pre_run(opt, STATIONS[1], key_of(STATIONS[1]))
    return opt


def new_train_on_route(root: Path, script: str) -> Path:
    stations = {station: reference.vector_key(station) for station in STATIONS}
    files = {"train.py": script.encode()}
    return reference_route.build_initial(root, files, USER_KEY, BUILDER_KEY, stations)


def assert_has_run(root: Path, env: dict[str, str], refusal: tuple[int, str]) -> None:
    before = snapshot(root)
    done = visit(root, env=env)
    assert_explained(done, *refusal)
    assert "this image has run before" in done.stderr
    assert "begin again at the pull" in done.stderr
    assert (done.facts["by"], done.facts["state"]) == ("station", "unchanged")
    assert done.stdout == b""
    assert snapshot(root) == before


@ENVIRONMENTS
@pytest.mark.parametrize("end", ["", "sys.exit(3)"], ids=["succeeded", "failed"])
@pytest.mark.parametrize(
    ("lay_out", "refusal"),
    [(at_the_first_stop, BEFORE_FIRST), (at_the_second_stop, LATER)],
    ids=["first stop", "second stop"],
)
def test_what_an_earlier_run_has_left_is_not_computed_on(
    lay_out: Callable[[Path, str], Path],
    refusal: tuple[int, str],
    end: str,
    env: dict[str, str],
    tmp_path: Path,
) -> None:
    lay_out(tmp_path, end)
    first = visit(tmp_path, env=env)
    assert (first.status, first.stdout) == (3 if end else 0, b"ran\n"), first.stderr

    assert_has_run(tmp_path, env, refusal)


@ENVIRONMENTS
def test_a_link_is_left_by_a_run_too(env: dict[str, str], tmp_path: Path) -> None:
    opt = at_the_first_stop(tmp_path)
    (opt / "pht_results" / "deep" / "er").mkdir(parents=True)
    (opt / "pht_results" / "deep" / "er" / "link").symlink_to("nowhere")

    assert_has_run(tmp_path, env, BEFORE_FIRST)


@ENVIRONMENTS
def test_empty_folders_are_no_results(env: dict[str, str], tmp_path: Path) -> None:
    opt = at_the_first_stop(tmp_path)
    (opt / "pht_results" / "figures").mkdir()

    assert visit(tmp_path, env=env).stdout == b"ran\n"


def test_results_that_are_still_sealed_name_the_other_cause_too(tmp_path: Path) -> None:
    opt = new_train(tmp_path, SCRIPT)
    (opt / "pht_results" / "old").write_text("old")
    reference.published_post_run(opt, STATIONS[0], key_of(STATIONS[0]))

    done = visit(tmp_path, env=SAID_SO)

    assert_explained(done, *LATER)
    assert "decrypted before the run" in done.stderr
    assert "begin again at the pull" in done.stderr

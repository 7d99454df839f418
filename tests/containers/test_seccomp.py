"""Profiles of seccomp, and rights taken from root, that are stricter than an engine's own."""

from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import on_each_libc
from tests.containers.profiles import forbidding
from tests.containers.visitor import (
    COUNTS,
    Container,
    arrived,
    assert_taken_back,
    assert_visited,
)

CHOWN = ("chown", "fchown", "lchown", "fchownat")


@on_each_libc
def test_a_forbidden_faccessat2_does_not_mean_that_the_train_may_not_be_replaced(
    engine: Engine, train_image: str, station: list[str], tmp_path: Path
) -> None:
    options = [*station, *forbidding(tmp_path, ["faccessat2"]), "--cap-drop", "DAC_OVERRIDE"]
    container = Container.create(engine, train_image, arrived(tmp_path, COUNTS), options)
    assert_visited(container.run())


@on_each_libc
@pytest.mark.parametrize("status", [0, 3])
def test_a_visit_ends_in_order_where_no_owner_can_be_set(
    status: int,
    engine: Engine,
    train_image: str,
    station: list[str],
    tmp_path: Path,
) -> None:
    opt = arrived(tmp_path, f"{COUNTS}raise SystemExit({status})")
    container = Container.create(engine, train_image, opt, [*station, *forbidding(tmp_path, CHOWN)])
    done = container.run()
    assert "may not give files" not in done.stderr
    if status == 0:
        assert_visited(done)
    else:
        assert (done.status, done.facts["state"]) == (status, "unchanged"), done.stderr
        assert_taken_back(container, opt, tmp_path / "after")

"""Profiles of seccomp, and rights taken from root, that are stricter than an engine's own."""

import errno
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import on_each_libc
from tests.containers.visitor import (
    COUNTS,
    Container,
    arrived,
    assert_taken_back,
    assert_visited,
)

Profile = Callable[[Sequence[str]], list[str]]
CHOWN = ("chown", "fchown", "lchown", "fchownat")


@pytest.fixture
def forbidding(tmp_path: Path) -> Profile:
    """A function that returns the options of a container in which system calls are forbidden."""

    def options(names: Sequence[str]) -> list[str]:
        forbidden = {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EPERM}
        profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [forbidden]}
        (tmp_path / "profile.json").write_text(json.dumps(profile))
        return ["--security-opt", f"seccomp={tmp_path}/profile.json"]

    return options


@on_each_libc
def test_a_forbidden_faccessat2_does_not_mean_that_the_train_may_not_be_replaced(
    engine: Engine, train_image: str, station: list[str], forbidding: Profile, tmp_path: Path
) -> None:
    options = [*station, *forbidding(["faccessat2"]), "--cap-drop", "DAC_OVERRIDE"]
    container = Container.create(engine, train_image, arrived(tmp_path, COUNTS), options)
    assert_visited(container.run())


@on_each_libc
@pytest.mark.parametrize("status", [0, 3])
def test_a_visit_ends_in_order_where_no_owner_can_be_set(
    status: int,
    engine: Engine,
    train_image: str,
    station: list[str],
    forbidding: Profile,
    tmp_path: Path,
) -> None:
    opt = arrived(tmp_path, f"{COUNTS}raise SystemExit({status})")
    container = Container.create(engine, train_image, opt, [*station, *forbidding(CHOWN)])
    done = container.run()
    assert "may not give files" not in done.stderr
    if status == 0:
        assert_visited(done)
    else:
        assert (done.status, done.facts["state"]) == (status, "unchanged"), done.stderr
        assert_taken_back(container, opt, tmp_path / "after")

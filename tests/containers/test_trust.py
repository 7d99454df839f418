"""Keys that the station has pinned, in real containers."""

from pathlib import Path

import pytest

from tests import reference, reference_route
from tests.containers.engine import Engine
from tests.containers.visitor import (
    COUNTS,
    FIRST,
    SECOND,
    Container,
    arrived_by_route,
    assert_visit_refused,
    assert_visited,
    station_folder,
)
from tests.pinned import line, pin
from tests.reference import STATIONS
from tests.station import settle

USER = line("user user-1", reference.vector_key("user"))
OTHERS = (
    line("builder", reference_route.vector_key("builder")),
    *(line(f"station {name}", reference.vector_key(name)) for name in (FIRST, STATIONS[2])),
)


def arrive(
    engine: Engine, image: str, root: Path, lines: tuple[str, ...], *options: str, **settings: str
) -> Container:
    """Make the container of a train at a station that has pinned keys."""
    opt = arrived_by_route(root, COUNTS)
    settle(root, SECOND, None, **settings)
    pin(root, *lines)
    return Container.create(engine, image, opt, [*station_folder(root), *options])


def test_a_train_of_pinned_keys_visits(engine: Engine, train_image: str, tmp_path: Path) -> None:
    container = arrive(engine, train_image, tmp_path, (USER, *OTHERS), PHT_TRUST="require")
    done = container.run()
    assert_visited(done)
    assert done.facts["trust"] == "full"


@pytest.mark.parametrize(
    ("user", "code"),
    [
        ([], "key-not-pinned"),
        ([line("user user-1", reference.vector_key(FIRST))], "key-not-as-pinned"),
    ],
)
def test_a_train_of_another_key_is_refused(
    user: list[str], code: str, engine: Engine, train_image: str, tmp_path: Path
) -> None:
    container = arrive(engine, train_image, tmp_path, (*user, *OTHERS), PHT_TRUST="require")
    assert USER in assert_visit_refused(container, 77, code)


def test_the_environment_of_a_container_does_not_decide_whom_the_station_trusts(
    engine: Engine, train_image: str, tmp_path: Path
) -> None:
    options = ("--env", "PHT_TRUST=report")
    container = arrive(engine, train_image, tmp_path, (USER, *OTHERS), *options)
    assert_visit_refused(container, 78, "setting-not-trusted")

"""Results that stations of the published package cannot carry, at stations of both kinds.

What is expected of the published package is what it does; that it stays so shows that the fault is
not in what this project writes.
"""

from pathlib import Path

import pytest

from tests import reference
from tests.interop.authors import USER
from tests.interop.conftest import Depart
from tests.interop.journey import OURS, STATIONS, THEIRS, VisitFailed
from tests.interop.train.listing import listing

# The older version is the same in everything that is used here.
pytestmark = pytest.mark.parametrize("published", ["1.0.0"], indirect=True)

Shapes = dict[str, Path]
Keys = dict[str, bytes]


def test_stops_without_results_are_left_and_entered(
    depart: Depart, shapes: Shapes, keys: Keys, tmp_path: Path
) -> None:
    train = depart()
    train.visit(THEIRS, STATIONS[0], shapes["none"])
    for station in STATIONS[1:3]:
        found = train.visit(OURS, station, shapes["none"])
        assert found.results == listing(shapes["none"])
    opt = train.take(tmp_path / "arrived")
    assert reference.decrypt_results(opt, keys[USER]) == {}


@pytest.mark.parametrize("before", [OURS, THEIRS])
def test_a_published_station_cannot_enter_after_a_stop_without_results(
    before: str, depart: Depart, shapes: Shapes
) -> None:
    train = depart()
    train.visit(before, STATIONS[0], shapes["none"])
    with pytest.raises(VisitFailed, match=r"validate_previous_results(?s:.)*TypeError"):
        train.visit(THEIRS, STATIONS[1], shapes["one"])


def test_hard_links_leave_our_stop_as_files(depart: Depart, shapes: Shapes) -> None:
    train = depart()
    train.visit(OURS, STATIONS[0], shapes["linked"])
    found = train.visit(THEIRS, STATIONS[1], shapes["one"])
    assert found.results == listing(shapes["linked"])


def test_a_published_station_cannot_hand_hard_links_on(depart: Depart, shapes: Shapes) -> None:
    train = depart()
    with pytest.raises(VisitFailed, match=r"link .*best\.bin .*no such file"):
        train.visit(THEIRS, STATIONS[0], shapes["linked"])

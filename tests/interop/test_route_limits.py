"""Limits of stations of the published 2.0: what they lose, pass on or refuse.

What is expected of the published package is what it does; that it stays so shows that the fault is
not in what this project writes.
"""

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import reference_route
from tests.interop.authors import BUILDER, USER, public_half
from tests.interop.conftest import Depart
from tests.interop.journey import FILES, OURS, ROUTE_STATIONS, STATIONS, THEIRS, VisitFailed
from tests.interop.train.listing import listing
from tests.reference import load_config

Shapes = dict[str, Path]
Keys = dict[str, bytes]

FIRST, SECOND = ROUTE_STATIONS[:2]

WRITES_CACHES = ("python", "-E", "/opt/pht_train/train.py")
"""Python that does not look at PYTHONDONTWRITEBYTECODE, which our ENTRYPOINT sets."""

CACHE = "__pycache__/listing.cpython-311.pyc"


def by_numbers(folder: Path, keys: Mapping[str, bytes]) -> Path:
    """Build a train whose first station has a number as its id."""
    stations = {station: public_half(keys[station]) for station in STATIONS}
    return reference_route.build_initial(folder, FILES, keys[USER], keys[BUILDER], stations)


def test_a_station_with_a_number_visits_with_our_software_only(
    depart_route: Depart, shapes: Shapes, tmp_path: Path
) -> None:
    train = depart_route(by_numbers)
    with pytest.raises(VisitFailed, match="Station 7 not found in route"):
        train.visit(THEIRS, STATIONS[0], shapes["one"])
    for number, kind in enumerate((OURS, THEIRS, OURS)):
        train.visit(kind, STATIONS[number], shapes["one"])
    config = load_config(train.take(tmp_path / "left"))
    assert config["route"][0]["station"] == 7  # as the second station has written it
    assert reference_route.verify_chain(config) == list(STATIONS[:3])


def test_modes_of_train_files_get_lost_at_a_published_stop(
    depart_route: Depart, shapes: Shapes, tmp_path: Path
) -> None:
    train = depart_route(change=lambda opt: (opt / "pht_train" / "train.py").chmod(0o755))
    for station, kind, mode in ((FIRST, OURS, 0o755), (SECOND, THEIRS, 0o644)):
        found = train.visit(kind, station, shapes["one"])
        assert found.train["train.py"][1] == oct(mode)
        left = train.take(tmp_path / kind) / "pht_train" / "train.py"
        assert stat.S_IMODE(left.stat().st_mode) == mode


def test_a_cache_of_a_run_does_not_travel(
    depart_route: Depart, shapes: Shapes, keys: Keys, tmp_path: Path
) -> None:
    train = depart_route(command=WRITES_CACHES)
    for number, kind in enumerate((THEIRS, THEIRS, OURS)):
        found = train.visit(kind, ROUTE_STATIONS[number], shapes["one"])
        assert CACHE in found.train
        sealed = train.take(tmp_path / str(number)) / "pht_train"
        assert CACHE not in listing(sealed)
        assert reference_route.decrypt_definition(sealed.parent, keys[USER]) == FILES


def test_hard_links_leave_our_stop_as_files(depart_route: Depart, shapes: Shapes) -> None:
    train = depart_route()
    train.visit(OURS, FIRST, shapes["linked"])
    found = train.visit(THEIRS, SECOND, shapes["one"])
    assert found.results == listing(shapes["linked"])


def test_a_published_station_leaves_one_of_two_hard_links_unsealed(
    depart_route: Depart, shapes: Shapes, tmp_path: Path
) -> None:
    train = depart_route()
    train.visit(THEIRS, FIRST, shapes["linked"])
    left = train.take(tmp_path / "left") / "pht_results"
    assert (left / "best.bin").read_bytes() != b"weights"
    assert (left / "epoch-3.bin").read_bytes() == b"weights"
    for kind, problem in ((THEIRS, "Invalid IV size"), (OURS, "results-unverified")):
        with pytest.raises(VisitFailed, match=problem):
            train.visit(kind, SECOND, shapes["one"])

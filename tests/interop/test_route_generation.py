"""Stations of this project (O) and of the published 2.0 (T) take turns on one route of five.

How the stations of the published package work is told in `published_station`: they do the protocol
on the host, and our ENTRYPOINT runs the command only.
"""

import hashlib
from pathlib import Path

import pytest

from tests import reference_route
from tests.interop.authors import USER, Author, by_pht_create_route, by_published_route_builder
from tests.interop.conftest import Depart
from tests.interop.journey import FILES, ROUTE_STATIONS, carried, found_at
from tests.interop.readers import assert_user_reads, contents
from tests.interop.train.listing import Listing, listing
from tests.reference import load_config

LEFT = ("awkward", "many", "none", "one", "awkward")
"""The shapes of the results at each stop: every one removes, adds, or changes files."""


@pytest.mark.parametrize(
    ("order", "author"),
    [
        ("OTTOO", by_published_route_builder),
        ("TOOTT", by_pht_create_route),
        ("OTOTO", by_pht_create_route),
    ],
    ids=["OTTOO, published", "TOOTT, ours", "OTOTO, ours"],
)
def test_every_stop_finds_what_the_one_before_left(
    order: str,
    author: Author,
    depart_route: Depart,
    shapes: dict[str, Path],
    keys: dict[str, bytes],
    tmp_path: Path,
) -> None:
    train = depart_route(author)
    left: Listing = {}
    for kind, station, shape in zip(order, ROUTE_STATIONS, LEFT, strict=True):
        found = train.visit(kind, station, shapes[shape])
        assert found.results == found_at(left, kind)
        assert contents(found.train) == {name: digest(file) for name, file in FILES.items()}
        left = carried(listing(shapes[shape]), kind)
    opt = train.take(tmp_path / "arrived")
    assert reference_route.verify_chain(load_config(opt)) == list(ROUTE_STATIONS)
    assert_everyone_reads(opt, left, keys)
    assert_user_reads(opt, left, keys[USER], tmp_path)


def assert_everyone_reads(opt: Path, left: Listing, keys: dict[str, bytes]) -> None:
    """Check that the user and every station can decrypt the results and the definition."""
    files = {path: what for path, what in left.items() if what[0] == "file"}
    for name in (USER, *ROUTE_STATIONS):
        station = None if name == USER else name
        read = reference_route.decrypt_results(opt, keys[name], station)
        assert files == {
            path: ["file", oct(mode), digest(content)] for path, (content, mode) in read.items()
        }
        assert reference_route.decrypt_definition(opt, keys[name], station) == FILES


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

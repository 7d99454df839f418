"""Stations of this project (O) and of the published package (T) take turns on one route.

How the stations of the published package work is told in `published_station`: they do the protocol
on the host, and our ENTRYPOINT runs the command only.
"""

import hashlib
from pathlib import Path

import pytest

from tests import reference
from tests.interop.authors import USER, Author, by_pht_create, by_train_builder
from tests.interop.conftest import Depart
from tests.interop.journey import STATIONS, THEIRS, carried, found_at
from tests.interop.readers import assert_user_reads
from tests.interop.train.listing import Listing, listing

LEFT = ("awkward", "many", "one", "awkward")
"""The shapes of the results at each stop: every one removes, adds, or changes files."""


@pytest.mark.parametrize(
    ("order", "author"),
    [
        ("OTOT", by_train_builder),
        ("TOOT", by_pht_create),
        ("OOTT", by_pht_create),
        ("TTO", by_train_builder),
    ],
    ids=["OTOT, published", "TOOT, ours", "OOTT, ours", "TTO, published"],
)
def test_every_stop_finds_what_the_one_before_left(
    order: str,
    author: Author,
    depart: Depart,
    shapes: dict[str, Path],
    keys: dict[str, bytes],
    tmp_path: Path,
) -> None:
    train = depart(author)
    left: Listing = {}
    for kind, station, shape in zip(order, STATIONS, LEFT, strict=False):
        assert train.visit(kind, station, shapes[shape]).results == found_at(left, kind)
        left = carried(listing(shapes[shape]), kind)
    opt = train.take(tmp_path / "arrived")
    config = reference.load_config(opt)
    reference.verify_definition(config, opt / "pht_train")
    assert reference.verify_chain(config) == list(STATIONS[: len(order)])
    assert_user_reads(opt, left, keys[USER], tmp_path)
    if order.endswith(THEIRS):  # it carries two paths, so the user's key is in one place only
        with (opt / "user_sym_key.key").open("xb") as left_behind:
            left_behind.write(bytes.fromhex(config["user_encrypted_sym_key"]))
    assert_everyone_reads(opt, left, keys)


def assert_everyone_reads(opt: Path, left: Listing, keys: dict[str, bytes]) -> None:
    """Check that the user and every station can decrypt the results."""
    files = {path: what for path, what in left.items() if what[0] == "file"}
    for name in (USER, *STATIONS):
        read = reference.decrypt_results(opt, keys[name], None if name == USER else name)
        assert files == {
            path: ["file", oct(mode), hashlib.sha256(content).hexdigest()]
            for path, (content, mode) in read.items()
        }

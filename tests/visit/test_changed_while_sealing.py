"""A result that changes while it is sealed: what is signed is what is encrypted.

No process of the train is left then; here functions that sealing calls stand for one.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from entrypoint.files.tree import Entry, walk
from entrypoint.process.stop import StopRequest
from entrypoint.protocol import seal
from tests.station import (
    assert_explained,
    in_process,
    journal,
    new_route_train,
    new_train,
    opened,
    settle,
)

SIZE = 2**21
"""Bytes of a file that is read in several pieces."""


@pytest.fixture(params=[new_train, new_route_train], ids=["flat", "route"])
def opt(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A train that has run at its first stop, with one result of several pieces."""
    opt: Path = request.param(tmp_path, "")
    settle(tmp_path, "station_1")
    assert in_process("pre-run", tmp_path).status == 0
    (opt / "pht_results" / "model").write_bytes(bytes(SIZE))
    return opt


def test_each_piece_is_read_once_for_the_hash_and_the_encryption(
    opt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (opt / "pht_results" / "model").open("r+b", buffering=0) as model:

        def change(_: StopRequest) -> None:
            os.pwrite(model.fileno(), os.urandom(SIZE), 0)

        monkeypatch.setattr(StopRequest, "check", change)
        done = in_process("post-run", opt.parent)

    assert done.status == 0, done.stderr
    results = opened(opt)  # verifies the hash
    assert len(results["model"]) == SIZE
    assert results["model"] != bytes(SIZE)


def swapping(path: Path, target: Path) -> Callable[..., Iterator[Entry]]:
    """Return a walk that replaces a file by a link when everything has been looked at."""

    def walk_and_swap(root: Path, **options: Any) -> Iterator[Entry]:
        entries = list(walk(root, **options))
        if root == path.parent and journal(root.parents[1])["phase"] == "sealing":
            path.unlink()
            path.symlink_to(target)
        yield from entries

    return walk_and_swap


def test_a_file_that_became_a_link_is_not_followed(
    opt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "run" / "pht" / "private_key.pem"
    swap = swapping(opt / "pht_results" / "model", secret)
    with monkeypatch.context() as patched:
        patched.setattr(seal, "walk", swap)
        done = in_process("post-run", tmp_path)

    assert_explained(done, 74, "storage-failed")
    assert journal(tmp_path)["phase"] == "sealing"
    assert in_process("post-run", tmp_path).status == 0
    assert opened(opt) == {}

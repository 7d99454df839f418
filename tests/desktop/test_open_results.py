"""Results open in another language: as in the users' desktop application, and with its modules."""

import os
from pathlib import Path

import pytest

from tests import reference_route
from tests.desktop.exports import FIRST, USER_KEY, Open, exported, sealed_train
from tests.reference import STAGES, result_files


@pytest.mark.parametrize("stage", range(1, len(STAGES)), ids=STAGES[1:])
def test_published_results_open(open_results: Open, stage: int, tmp_path: Path) -> None:
    opt = reference_route.lay_out(stage, tmp_path)
    expected = result_files(reference_route.lay_out_plain(stage, tmp_path / "plain"))

    opened = open_results(exported(opt), USER_KEY)

    assert opened == {path: content for path, (content, _) in expected.items()}


def test_results_of_any_name_and_size_open(open_results: Open, tmp_path: Path) -> None:
    contents = {
        "empty": b"",
        "one block": bytes(16),
        "large.bin": os.urandom(2_000_001),
        "sum.he.json": b"[1]",
        "/".join(["deep"] * 60) + "/ü": b"inside",
        "n" * 200: b"long name",
    }
    opt = sealed_train(tmp_path, contents)

    assert open_results(exported(opt), USER_KEY) == contents


def test_the_key_of_another_does_not_open(open_results: Open, tmp_path: Path) -> None:
    archive = exported(reference_route.lay_out(1, tmp_path))

    with pytest.raises(AssertionError, match="oaep"):
        open_results(archive, USER_KEY.with_name(f"{FIRST}.sk.pem"))

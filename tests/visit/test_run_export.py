"""The export that PHT_EXPORT asks for at the end of a visit."""

from pathlib import Path

import pytest

from tests.station import (
    assert_explained,
    opened,
    snapshot,
    unpack,
    visit,
)
from tests.unprotected import UNPROTECTED
from tests.visit.flat_train import first_stop


def test_the_export_opens_with_the_users_key(tmp_path: Path) -> None:
    root, tar = tmp_path / "root", tmp_path / "train.tar"
    first_stop(root, "(results / 'a').mkdir(); (results / 'a' / 'b').write_bytes(b'x')")

    done = visit(root, env={"PHT_EXPORT": str(tar)})

    assert (done.status, done.facts["state"]) == (0, "sealed")
    assert f"pht: the sealed train is in {tar}" in done.lines
    assert opened(unpack(tar, tmp_path / "out")) == {"a/b": b"x"}
    assert not list(tmp_path.glob("*.part"))


def test_no_export_of_a_train_that_failed(tmp_path: Path) -> None:
    root, tar = tmp_path / "root", tmp_path / "train.tar"
    first_stop(root, "sys.exit(1)")

    assert visit(root, env={"PHT_EXPORT": str(tar)}).status == 1
    assert not tar.exists()


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("there", 74, "output-exists"), ("nowhere/x.tar", 66, "output-folder-missing")],
)
def test_an_export_that_has_no_place_is_refused_before_the_visit(
    name: str, status: int, code: str, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    first_stop(root, "(results / 'a').touch()")
    (tmp_path / "there").write_bytes(b"mine")
    before = snapshot(tmp_path)

    done = visit(root, env={"PHT_EXPORT": str(tmp_path / name)})

    assert_explained(done, status, code)
    assert done.facts["state"] == "unchanged"
    assert snapshot(tmp_path) == before


def test_an_export_that_fails_after_the_visit_does_not_unsay_it(tmp_path: Path) -> None:
    root, tar = tmp_path / "root", tmp_path / "out" / "train.tar"
    (tmp_path / "out").mkdir()
    opt = first_stop(root, "(results.parents[2] / 'out').rmdir(); (results / 'a').touch()")

    done = visit(root, env={"PHT_EXPORT": str(tar)}, under=UNPROTECTED)

    assert_explained(done, 66, "output-folder-missing")
    assert (done.facts["stage"], done.facts["state"]) == ("export", "sealed")
    assert opened(opt) == {"a": b""}


def test_an_export_that_was_not_begun_is_made_by_the_next_start(tmp_path: Path) -> None:
    root, tar = tmp_path / "root", tmp_path / "train.tar"
    first_stop(root, "(results / 'a').write_bytes(b'x')")
    assert visit(root).status == 0

    done = visit(root, env={"PHT_EXPORT": str(tar)})
    assert_explained(done, 79, "already-visited")
    assert f"pht: the sealed train is in {tar}" in done.lines
    assert opened(unpack(tar, tmp_path / "out")) == {"a": b"x"}


def test_a_missing_export_that_fails_does_not_unsay_the_visit(tmp_path: Path) -> None:
    root = tmp_path / "root"
    opt = first_stop(root, "(results / 'a').touch()")
    assert visit(root).status == 0

    done = visit(root, env={"PHT_EXPORT": str(tmp_path / "no" / "train.tar")})

    assert_explained(done, 66, "output-folder-missing")
    assert (done.facts["stage"], done.facts["state"]) == ("export", "sealed")
    assert opened(opt) == {"a": b""}


def test_a_second_start_with_an_export_says_that_the_visit_is_made(tmp_path: Path) -> None:
    root, tar = tmp_path / "root", tmp_path / "train.tar"
    first_stop(root, "(results / 'a').touch()")
    assert visit(root, env={"PHT_EXPORT": str(tar)}).status == 0
    assert_explained(visit(root, env={"PHT_EXPORT": str(tar)}), 79, "already-visited")

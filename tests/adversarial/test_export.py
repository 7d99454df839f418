"""Exports of hostile trains, and to places where the tar would do harm."""

import tarfile
from pathlib import Path

import pytest

from tests import reference
from tests.ledger import give_ledger
from tests.station import assert_explained, export, new_train, pht, settle, snapshot, visit
from tests.unprotected import UNPROTECTED


def test_an_envelope_that_is_a_link_to_the_private_key_is_not_followed(tmp_path: Path) -> None:
    opt = reference.lay_out(2, tmp_path)
    settle(tmp_path, "station_3")
    (opt / "user_sym_key.key").unlink()
    (opt / "user_sym_key.key").symlink_to(tmp_path / "run" / "pht" / "private_key.pem")
    output = tmp_path / "train.tar"
    assert_explained(export(tmp_path, output), 77, "link-in-place")
    assert_explained(pht("export", "--output", "-", root=tmp_path), 77, "link-in-place")
    assert not list(tmp_path.glob("train.tar*"))


@pytest.mark.parametrize("name", ["train.tar", "train.tar.part"])
def test_nothing_is_written_through_a_planted_link(tmp_path: Path, name: str) -> None:
    reference.lay_out(2, tmp_path)
    for target in (tmp_path / "precious", tmp_path / "not-there-yet"):
        (tmp_path / "precious").write_text("precious")
        (tmp_path / name).symlink_to(target)
        before = snapshot(tmp_path)
        assert_explained(export(tmp_path, tmp_path / "train.tar"), 74, "output-exists")
        assert snapshot(tmp_path) == before
        (tmp_path / name).unlink()


def test_a_link_that_the_train_plants_while_it_runs_is_not_written_through(tmp_path: Path) -> None:
    precious, output = tmp_path / "precious", tmp_path / "train.tar"
    precious.write_text("precious")
    new_train(tmp_path, f"import os; os.symlink({str(precious)!r}, {str(output) + '.part'!r})")
    settle(tmp_path, "station_1", PHT_EXPORT=str(output))
    done = visit(tmp_path, under=UNPROTECTED)
    assert (done.status, done.facts["state"]) == (74, "sealed")
    assert precious.read_text() == "precious"
    assert (tmp_path / "train.tar.part").is_symlink()


@pytest.mark.parametrize(
    "place",
    [
        "pht_results/train.tar",
        "pht_results/../pht_results/train.tar",
        "pht_train/train.tar",
        "pht_results.pht",
        "train_config.json.pht",
        "user_sym_key.key",
    ],
)
def test_the_sealed_train_is_not_changed_by_its_own_export(tmp_path: Path, place: str) -> None:
    opt = new_train(tmp_path, "pass")
    settle(tmp_path, "station_1", PHT_EXPORT=str(opt / place))
    before = snapshot(tmp_path)
    assert_explained(visit(tmp_path), 78, "output-inside-train")
    assert snapshot(tmp_path) == before
    settle(tmp_path, "station_1")
    assert visit(tmp_path).status == 0
    sealed = snapshot(tmp_path)
    assert export(tmp_path, opt / place).status in (74, 78)  # the envelope exists by now
    assert snapshot(tmp_path) == sealed


def test_no_image_puts_its_export_into_the_ledger(tmp_path: Path) -> None:
    """There it would be a damaged entry, of whichever train has that name."""
    new_train(tmp_path, "pass")
    ledger = give_ledger(tmp_path)
    settle(tmp_path, "station_1", PHT_EXPORT=str(ledger / f"{'0' * 128}.json"))
    before = snapshot(tmp_path)
    assert_explained(visit(tmp_path), 78, "output-in-container")
    assert snapshot(tmp_path) == before


def test_another_folder_below_opt_is_a_good_place(tmp_path: Path) -> None:
    opt = new_train(tmp_path, "pass")
    (opt / "export").mkdir()
    settle(tmp_path, "station_1", PHT_EXPORT=str(opt / "export" / "train.tar"))
    assert visit(tmp_path).status == 0
    with tarfile.open(opt / "export" / "train.tar") as tar:
        assert "train_config.json" in tar.getnames()

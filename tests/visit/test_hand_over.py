"""`hand-over`: the train that leaves is the one that was sealed, and nothing else."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from entrypoint.errors import StorageError
from entrypoint.model import Paths
from entrypoint.station import hand_over as module
from tests import reference
from tests.other_user import needs_root
from tests.station import Done, assert_explained, edit, pht, snapshot


def hand_over(source: Path, root: Path) -> Done:
    return pht("hand-over", "--from", source, root=root)


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """The folder of a train after two stops, with everything that results can hold."""
    opt = reference.lay_out(2, tmp_path / "sealed")
    results = opt / "pht_results"
    (results / "inner").mkdir(mode=0o750)
    (results / "inner" / "file").write_text("one")
    os.link(results / "inner" / "file", results / "other name")
    (results / "link").symlink_to("/absent")
    (results / "inner").chmod(0o550)
    return opt


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The root of an image as it was built, with files that do not belong to the train."""
    opt = reference.lay_out(0, tmp_path / "image")
    (opt / "pht_results" / "too many").write_text("")
    (opt / "pht_train" / "too many").write_text("")
    (opt / "beside").write_text("of the image")
    return tmp_path / "image"


def test_the_copy_is_as_it_was_sealed_and_the_rest_of_the_image_stays(
    sealed: Path, image: Path
) -> None:
    before = snapshot(sealed)

    done = hand_over(sealed, image)

    assert (done.status, done.stdout) == (0, b""), done.stderr
    after = snapshot(image / "opt")
    assert (image / "opt" / "beside").read_text() == "of the image"
    del after["beside"], after["."], before["."]
    assert after == before
    inner = image / "opt" / "pht_results"
    assert (inner / "other name").samefile(inner / "inner" / "file")


@needs_root
def test_owners_and_modes_are_kept(sealed: Path, image: Path) -> None:
    for path in (sealed / "pht_results").rglob("*"):
        os.lchown(path, 1234, 4321)
    (sealed / "pht_results" / "inner" / "file").chmod(0o400)

    assert hand_over(sealed, image).status == 0

    copied = (image / "opt" / "pht_results" / "inner" / "file").stat()
    assert (copied.st_uid, copied.st_gid, copied.st_mode & 0o7777) == (1234, 4321, 0o400)


@pytest.mark.parametrize("part", ["pht_train", "pht_results", "user_sym_key.key"])
def test_a_train_that_is_not_all_there_is_refused_and_the_image_is_as_it_was(
    part: str, sealed: Path, image: Path
) -> None:
    subprocess.run(["rm", "-r", sealed / part], check=True)
    before = snapshot(image)
    assert_explained(hand_over(sealed, image), 66, "no-train")
    assert snapshot(image) == before


@pytest.mark.parametrize("part", ["pht_train", "pht_results", "user_sym_key.key"])
def test_a_part_that_is_a_link_is_refused(part: str, sealed: Path, image: Path) -> None:
    (sealed / part).rename(sealed / "elsewhere")
    (sealed / part).symlink_to("elsewhere")
    before = snapshot(image)
    assert_explained(hand_over(sealed, image), 77, "link-in-place")
    assert snapshot(image) == before


@pytest.mark.parametrize("place", ["opt", "opt/inner"])
def test_a_train_is_not_replaced_by_itself(place: str, sealed: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    opt = sealed.rename(root / "opt")
    if place == "opt/inner":
        shutil.copytree(opt, root / place, symlinks=True)
    before = snapshot(root)
    assert_explained(hand_over(root / place, root), 78, "place-unsuitable")
    assert snapshot(root) == before


def test_special_bits_stay_behind(sealed: Path, image: Path) -> None:
    (sealed / "pht_train").chmod(0o2775)
    assert hand_over(sealed, image).status == 0
    assert (image / "opt" / "pht_train").stat().st_mode & 0o7777 == 0o775


def test_an_unfinished_train_is_refused_and_the_image_is_as_it_was(
    sealed: Path, image: Path
) -> None:
    edit(sealed, lambda config: config.update(pht_unfinished="a visit is under way"))
    before = snapshot(image)

    done = hand_over(sealed, image)

    assert_explained(done, 65, "config-unfinished")
    assert snapshot(image) == before


def test_a_folder_without_a_train_is_refused(image: Path, tmp_path: Path) -> None:
    before = snapshot(image)
    assert_explained(hand_over(tmp_path / "absent", image), 66, "no-train")
    assert snapshot(image) == before


def test_a_copy_that_is_not_as_it_was_sealed_is_named(
    sealed: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copyfile

    def copy_badly(old: Path, new: Path) -> None:
        copy(old, new)
        if old.name == "file":
            new.write_text("two")

    monkeypatch.setattr(shutil, "copyfile", copy_badly)
    with pytest.raises(StorageError, match="inner/file is not as it was sealed") as raised:
        module.hand_over(module.SealedTrain(sealed), Paths(image), in_container=False)
    assert raised.value.code == "not-handed-over"

"""Attributes of files: what is copied and restored, also by a user who may not set all of them."""

import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoint.files.attributes import drop_special_bits, make_like, restore_attributes
from tests.other_user import unprivileged


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o666])
def test_a_new_file_takes_over_the_mode_whatever_the_umask(mode: int, tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    (tmp_path / "old").chmod(mode)
    with make_like((tmp_path / "new").open("xb"), (tmp_path / "old").stat()):
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_new_file_takes_over_the_owner(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    os.chown(tmp_path / "old", 1000, 1001)
    make_like((tmp_path / "new").open("xb"), (tmp_path / "old").stat()).close()
    new = (tmp_path / "new").stat()
    assert (new.st_uid, new.st_gid) == (1000, 1001)


def test_special_bits_of_a_folder_are_dropped_and_its_permissions_stay(tmp_path: Path) -> None:
    tmp_path.chmod(0o3750)
    drop_special_bits(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_a_time_and_set_id_bits_are_restored(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    restore_attributes(tmp_path / "file", 0o104751, os.geteuid(), os.getegid(), 5)
    info = (tmp_path / "file").stat()
    assert (stat.S_IMODE(info.st_mode), info.st_mtime_ns) == (0o4751, 5)


def test_a_restored_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0o640)
    (tmp_path / "link").symlink_to("file")
    before = (tmp_path / "file").stat()
    restore_attributes(tmp_path / "link", 0o120777, os.geteuid(), os.getegid(), 5)
    assert (tmp_path / "file").stat() == before


def test_a_file_that_stays_with_another_owner_gets_no_set_id_bits() -> None:
    with TemporaryDirectory() as folder, unprivileged(Path(folder)):
        file = Path(folder) / "file"
        file.touch(mode=0o600)
        restore_attributes(file, 0o104751, 0, 0, 5)
        info = file.stat()
        assert (stat.S_IMODE(info.st_mode), info.st_mtime_ns) == (0o751, 5)
        assert info.st_uid != 0

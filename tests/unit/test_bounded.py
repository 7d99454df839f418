"""Reading a file whose size somebody else decides, and the refusals of those that read one."""

from pathlib import Path

import pytest

from entrypoint.crypto.key_files import read_public_key
from entrypoint.errors import MissingInput, SettingsError
from entrypoint.files.bounded import FileTooLarge, read_bounded
from entrypoint.limits import SETTINGS_BYTES
from tests import reference
from tests.desk import plant
from tests.unit.simulating import TRAIN, assert_not_sent

BLANK_LINES = b"\n" * SETTINGS_BYTES
"""May stand behind the key in a PEM file."""


@pytest.mark.parametrize("size", [0, 9, 10])
def test_a_file_within_the_limit_is_read_whole(size: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(size))
    assert read_bounded(tmp_path / "file", 10) == bytes(size)


def test_a_file_over_the_limit_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(11))
    with pytest.raises(FileTooLarge) as refused:
        read_bounded(tmp_path / "file", 10)
    assert refused.value.strerror == "it is larger than 10 bytes"
    assert refused.value.filename == str(tmp_path / "file")


def test_of_a_file_without_an_end_no_more_than_the_limit_is_read() -> None:
    with pytest.raises(FileTooLarge):
        read_bounded(Path("/dev/zero"), 10)


def test_a_file_too_large_for_a_public_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(reference.vector_key("user") + BLANK_LINES)
    with pytest.raises(SettingsError, match="key cannot be used: it is larger than") as refused:
        read_public_key(tmp_path / "key")
    assert refused.value.code == "public-key-unusable"


def test_a_file_too_large_for_a_station_key_of_a_simulation(tmp_path: Path) -> None:
    key = reference.vector_key("station_1", private=True)
    (tmp_path / "s-1.pem").write_bytes(key + BLANK_LINES)
    plant(tmp_path, {"train/train.py": TRAIN, "data/s-1/rows.csv": "one"})
    error = assert_not_sent(
        MissingInput, "file-unreadable", tmp_path / "train", tmp_path / "data", keys=tmp_path
    )
    assert "s-1.pem: it is larger than" in error.message

"""Reading a file whose size somebody else decides."""

from pathlib import Path

import pytest

from entrypoint.files.bounded import FileTooLarge, read_bounded


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

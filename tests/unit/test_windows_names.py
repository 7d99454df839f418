"""Names that Windows cannot hold are refused before anything is written under them."""

import tarfile
from pathlib import Path

import pytest

from entrypoint.errors import SystemFailure
from entrypoint.files import tar_reader
from entrypoint.files.windows_names import WindowsNames


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("a/con", "con is the name of a device"),
        ("NUL.txt", "NUL.txt is the name of a device"),
        ("aux .tar.gz", "aux .tar.gz is the name of a device"),
        ("com1/table.csv", "com1 is the name of a device"),
        ("LPT²", "LPT² is the name of a device"),
        ("a:b", "it has the character :"),
        ("a/what?.csv", "it has the character ?"),
        ("a\\b", "it has the character \\"),
        ("line\n", "it has the character \n"),
        ("a./b", "it ends with a dot or a blank"),
        ("b ", "it ends with a dot or a blank"),
    ],
)
def test_a_name_that_windows_cannot_hold_is_refused(path: str, problem: str) -> None:
    with pytest.raises(SystemFailure) as refused:
        WindowsNames().check(path)
    assert refused.value.code == "name-unsuitable"
    assert refused.value.message == f"{path} is no name that Windows can hold: {problem}"


@pytest.mark.parametrize(
    "path", ["a/b.csv", "console", "com", "com10", "nulls.txt", ".hidden", "ü ö", "a.b.c", "-"]
)
def test_other_names_pass(path: str) -> None:
    WindowsNames().check(path)


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [("Table.csv", "table.csv", "Table.csv"), ("A/x", "a/y", "A"), ("ü/Ä", "ü/ä", "ü/Ä")],
)
def test_names_that_differ_only_in_case_are_refused(first: str, second: str, shown: str) -> None:
    names = WindowsNames()
    names.check(first)
    names.check(first)
    with pytest.raises(SystemFailure, match=f"it differs from {shown} only in case"):
        names.check(second)


def test_an_archive_is_judged_on_windows_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "some.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("a:b"))
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    tar_reader.unpack(tmp_path / "some.tar", tmp_path / "here")
    monkeypatch.setattr(tar_reader, "_ON_WINDOWS", True)
    with pytest.raises(SystemFailure):
        tar_reader.unpack(tmp_path / "some.tar", tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []

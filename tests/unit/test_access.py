"""Unreadable data is found, by a process without root's capabilities."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoint.errors import MissingInput
from entrypoint.limits import DATA_ENTRIES
from entrypoint.visit.data import check_exists
from tests.station import REPOSITORY

ASKS = """
import sys
from pathlib import Path
from entrypoint.visit.train_reach import unreadable_in
print(next(unreadable_in(Path(sys.argv[1])), ""))
"""


def said(data: Path) -> str:
    """Return the path that a process bound by permissions reports as unreadable."""
    bound = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs the setpriv command, or another user than root")
        bound = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    command = [*bound, sys.executable, "-c", ASKS, str(data)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "ward").mkdir(parents=True)
    (folder / "rows.csv").touch()
    return folder


def test_what_can_be_read(data: Path) -> None:
    (data / "nowhere").symlink_to("absent")
    assert said(data) == said(data / "rows.csv") == ""


@pytest.mark.parametrize("name", ["rows.csv", "ward"])
def test_what_lies_directly_in_the_folder_and_cannot_be_read_is_named(
    name: str, data: Path
) -> None:
    (data / name).chmod(0)
    assert said(data) == str(data / name)


@pytest.mark.parametrize("name", [".Trash", "lost+found"])
def test_what_is_no_data_need_not_be_readable(name: str, data: Path) -> None:
    (data / name).mkdir(mode=0)
    assert said(data) == ""


def test_only_so_many_entries_are_looked_at(data: Path) -> None:
    for number in range(DATA_ENTRIES):
        (data / f"{number}").touch()
    listed = [entry.name for entry in data.iterdir()]
    (data / listed[-1]).chmod(0)
    assert said(data) == ""


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://reader:SECRET@db/ward",
        "fhirs://db?token=SECRET",
        "host=db user=reader password=SECRET",
        "reader/SECRET@db:1521",
        "Server=db;Password = SECRET",
        "AccountName=ward;AccountKey=SECRET",
        "//reader:SECRET@host/ward",
        "SECRET",
    ],
)
def test_a_password_in_an_address_is_not_shown(address: str) -> None:
    with pytest.raises(MissingInput) as raised:
        check_exists(address)
    assert raised.value.code == "data-missing"
    assert "it is not shown" in raised.value.message
    assert "SECRET" not in raised.value.message + raised.value.hint


@pytest.mark.parametrize(
    "path",
    ["/nowhere/year=2024", "/nowhere/a@b;c://d", "./ward.csv", "../data/a=b.csv"],
)
def test_a_path_that_leads_to_nothing_is_shown(path: str) -> None:
    with pytest.raises(MissingInput) as raised:
        check_exists(path)
    assert raised.value.message.startswith(f"TRAIN_DATA_PATH leads to nothing: {path}: no such")


def test_a_setting_that_is_empty_is_told() -> None:
    with pytest.raises(MissingInput, match="TRAIN_DATA_PATH is set, but empty"):
        check_exists("")

"""Which of its data a train is given: the same in a simulation as by the script for stations."""

import re
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from entrypoint.author.stop import data_path
from tests.desk import plant
from tests.station import REPOSITORY

SCRIPT = REPOSITORY / "examples" / "station" / "visit.sh"
UNSEEN = [".DS_Store", ".~lock.a b.csv#", "~$a b.csv", "Thumbs.db", "desktop.ini", ".git/config"]
FOLDERS = {
    "one file": (["a b.csv"], "/a b.csv"),
    "files that nobody sees beside it": (["a b.csv", *UNSEEN], "/a b.csv"),
    "two files": (["a b.csv", "c.csv"], ""),
    "a folder beside it": (["a b.csv", "images/1.png"], ""),
    "a folder alone": (["images/1.png"], ""),
    "only files that nobody sees": (UNSEEN, ""),
    "nothing": ([], ""),
}


@pytest.mark.parametrize(("files", "given"), FOLDERS.values(), ids=FOLDERS)
def test_the_only_visible_file_is_given_else_the_folder(
    files: list[str], given: str, tmp_path: Path
) -> None:
    data = plant(tmp_path, dict.fromkeys(files, ""))

    assert data_path(data, PurePosixPath("/opt/train_data")) == f"/opt/train_data{given}"
    assert given_by_script(data) == given


def given_by_script(data: Path) -> str:
    """Return what the script appends to the path of the data in the container."""
    [function] = re.findall(
        r"^only_file\(\) \{$.*?^\}$", SCRIPT.read_text(), re.DOTALL | re.MULTILINE
    )
    command = ["sh", "-euc", f"data=$1\n{function}\nonly_file", "sh", str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

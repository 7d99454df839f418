"""`pht.toml` is read strictly: it gives options by their names, or one clear error."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.author.project import read_project
from entrypoint.errors import MissingInput, UsageError
from entrypoint.limits import SETTINGS_BYTES
from tests.desk import plant


def values(folder: Path, text: str) -> dict[str, object]:
    path, found = read_project(plant(folder, {"pht.toml": text}) / "train")
    assert path == folder / "pht.toml"
    return found


def test_keys_are_options_and_paths_begin_at_the_file(tmp_path: Path) -> None:
    text = """
command = ["python", "/opt/pht_train/run.py"]
workdir = "/opt/pht_train"
exclude = []
data = "data"
user-key = "/keys/user.pem"
generation = "flat"
[stations]
ward-b = "keys/b.pem"
ward-a = "../a.pem"
"""
    assert values(tmp_path, text) == {
        "command": ["python", "/opt/pht_train/run.py"],
        "workdir": "/opt/pht_train",
        "exclude": [],
        "data": tmp_path / "data",
        "user_key": Path("/keys/user.pem"),
        "generation": "flat",
        "stations": [("ward-b", tmp_path / "keys/b.pem"), ("ward-a", tmp_path / "../a.pem")],
    }


@pytest.mark.parametrize("train", [".", "..", "nowhere/train", "file/train"])
def test_without_the_file_there_are_no_values(
    train: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = tmp_path / "desk" / "deeper"
    plant(desk, {"file": ""})
    monkeypatch.chdir(desk)
    assert read_project(Path(train))[1] == {}


@pytest.mark.parametrize("train", [".", "../train", "../other/../train"])
def test_the_file_lies_beside_the_folder_however_that_is_named(
    train: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, {"pht.toml": 'user = "alice"', "train/pht.toml": "user = 1"})
    monkeypatch.chdir(tmp_path / "train")
    assert read_project(Path(train)) == (tmp_path / "pht.toml", {"user": "alice"})


MALFORMED = {
    "no TOML": ("user = alice", "is not TOML: Invalid value"),
    "a key given twice": ('user = "a"\nuser = "b"', "is not TOML: "),
    "deep nesting": ("x = " + "[" * 10_000, "is not TOML: "),
    "a number of many digits": ("x = " + "1" * 10_000, "is not TOML: "),
    "an unknown key": ('user_key = "k"', "has the unknown key user_key; its keys are "),
    "a key of many letters": (f'{"k" * 10_000} = ""', f"key {'k' * 200}; "),
    "a number for a text": ("user = 1", "is wrong at the key user: it has to be a text"),
    "no text": ('train-id = ""', "is wrong at the key train-id: it has to be a text"),
    "no path": ('user-key = ""', "is wrong at the key user-key: it has to be a text"),
    "NUL in a path": ('data = "a\\u0000"', "is wrong at the key data: it has to be a text"),
    "a text for a list": ('command = "python x"', "the key command: it has to be a list"),
    "no command": ("command = []", "the key command: it has to be a list"),
    "an empty pattern": ('exclude = [""]', "the key exclude: it has to be a text"),
    "a number in a list": ("command = [1]", "the key command: it has to be a text"),
    "another generation": ('generation = "old"', "it has to be route or flat"),
    "a list for a generation": ("generation = []", "it has to be route or flat"),
    "another working folder": ('workdir = "/opt"', "it has to be /opt/pht_train; without"),
    "a list for a working folder": ("workdir = []", "it has to be /opt/pht_train; without"),
    "a text for the stations": ('stations = "a=b"', "the key stations: it has to be a table"),
    "no station": ("[stations]", "the key stations: it has to be a table"),
    "a station without a key": ("[stations]\na = {}", "the key stations: it has to be a text"),
}


@pytest.mark.parametrize(("text", "problem"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_well_formed(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        values(tmp_path, text)
    assert refused.value.code == "project-file-malformed"
    assert refused.value.message.startswith(f"{tmp_path / 'pht.toml'} ")
    assert problem in refused.value.message
    assert len(refused.value.message) < 1000


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    assert values(tmp_path, '\ufeffuser = "alice"') == {"user": "alice"}


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "pht.toml").write_bytes(b'user = "\xff"')
    with pytest.raises(UsageError, match=r"pht\.toml is not in UTF-8"):
        read_project(tmp_path / "train")


def fill(path: Path) -> None:
    path.write_bytes(b"#" * (SETTINGS_BYTES + 1))


def loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [(os.mkdir, "is a directory"), (fill, "it is larger than"), (loop, "too many levels")],
)
def test_what_cannot_be_read(make: Callable[[Path], None], reason: str, tmp_path: Path) -> None:
    make(tmp_path / "pht.toml")
    with pytest.raises(MissingInput, match=rf"pht\.toml cannot be read: {reason}") as refused:
        read_project(tmp_path / "train")
    assert refused.value.code == "project-file-unreadable"

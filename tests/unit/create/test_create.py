"""Building a train: what is signed, what is left out, what is refused, and nothing half made."""

import hashlib
import json
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from entrypoint.errors import MalformedTrain, MissingInput, UsageError
from tests import reference
from tests.desk import plant
from tests.unit.creating import FILES, IN_ORDER, STATIONS, USER_KEY, assert_not_built, build_train


def test_an_independent_reader_accepts_the_train(train: Path, output: Path) -> None:
    build_train(train, output)
    opt = output / "opt"
    config = reference.load_config(opt)
    reference.verify_definition(config, opt / "pht_train")
    assert reference.verify_chain(config) == []
    assert config["immutable_file_list"] == IN_ORDER


def test_the_train_looks_like_those_of_published_builders(train: Path, output: Path) -> None:
    build_train(train, output)
    data = (output / "opt" / "train_config.json").read_bytes()
    config = json.loads(data)
    published = reference.load_config(reference.VECTORS / "stage0-initial")
    # The recorded train names no image; docs/protocol.md has the field.
    assert config.keys() - {"master_image"} == published.keys()
    assert data == json.dumps(config, indent=2).encode()
    null = {name for name, value in config.items() if value is None}
    assert null == {name for name, value in published.items() if value is None}
    assert len(bytes.fromhex(config["session_id"])) == 64
    assert config["rsa_public_keys"] == {name: path.read_bytes().hex() for name, path in STATIONS}
    assert (config["user_id"], config["train_id"]) == ("user-1", "train-1")
    assert (config["proposal_id"], config["master_image"]) == ("17", "python:slim")


def test_the_folder_is_what_a_station_sees_below_opt(train: Path, output: Path) -> None:
    build_train(train, output)
    opt = output / "opt"
    assert {path.name for path in opt.iterdir()} == {
        "pht_train",
        "pht_results",
        "train_config.json",
    }
    assert list((opt / "pht_results").iterdir()) == []
    assert {name: (opt / "pht_train" / name).read_text() for name in FILES} == FILES
    assert list(output.iterdir()) == [opt]


def test_modes_are_kept(train: Path, output: Path) -> None:
    (train / "run.py").chmod(0o750)
    (train / "a-b").chmod(0o604)
    build_train(train, output)
    modes = {
        name: stat.S_IMODE((output / "opt" / "pht_train" / name).stat().st_mode)
        for name in ("run.py", "a-b")
    }
    assert modes == {"run.py": 0o750, "a-b": 0o604}


def test_only_the_session_differs_between_two_builds(train: Path, tmp_path: Path) -> None:
    build_train(train, tmp_path / "one")
    copied = shutil.copytree(train, tmp_path / "copy")  # made in another order on disk
    build_train(copied, tmp_path / "two")
    one, two = (reference.load_config(tmp_path / name / "opt") for name in ("one", "two"))
    different = {name for name in one if one[name] != two[name]}
    assert different == {"session_id", "e_h", "e_h_sig"}


def test_an_existing_empty_folder_is_filled(train: Path, output: Path) -> None:
    output.mkdir(mode=0o750)
    before = output.stat()
    build_train(train, output)
    assert (output.stat().st_ino, output.stat().st_mode) == (before.st_ino, before.st_mode)
    assert list(output.iterdir()) == [output / "opt"]


def test_of_hard_links_each_name_is_signed(train: Path, output: Path) -> None:
    os.link(train / "run.py", train / "same.py")
    build_train(train, output)
    config = reference.load_config(output / "opt")
    reference.verify_definition(config, output / "opt" / "pht_train")
    assert config["immutable_file_list"] == [*IN_ORDER, "same.py"]


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("__pycache__/run.cpython-311.pyc", "__pycache__"),
        ("a/__pycache__/deep/x", "a/__pycache__"),
        ("old.pyc", "old.pyc"),
        (".git/objects/ab/cdef", ".git"),
        ("a/.git", "a/.git"),
        (".DS_Store", ".DS_Store"),
        (".pytest_cache/v/x", ".pytest_cache"),
        (".mypy_cache/x", ".mypy_cache"),
        (".ruff_cache/x", ".ruff_cache"),
        ("a/.ipynb_checkpoints/x.ipynb", "a/.ipynb_checkpoints"),
    ],
)
def test_what_tools_leave_behind_does_not_travel_and_that_is_said(
    train: Path, output: Path, file: str, named: str
) -> None:
    plant(train, {file: "not mine"})
    said = build_train(train, output)
    assert f"pht: left out of the train: {named}\n" in said
    assert said.count("left out") == 1
    assert reference.load_config(output / "opt")["immutable_file_list"] == IN_ORDER
    assert not (output / "opt" / "pht_train" / named).exists()


def test_names_that_only_look_like_caches_travel(train: Path, output: Path) -> None:
    files = {".gitignore": "", ".git-data/x": "", "pyc": "", "x.pyc.txt": "", "__pycache__x": ""}
    plant(train, files)
    assert "left out" not in build_train(train, output)
    listed = reference.load_config(output / "opt")["immutable_file_list"]
    assert set(listed) == {*IN_ORDER, *files}


def test_a_folder_without_files_does_not_travel_and_that_is_said(train: Path, output: Path) -> None:
    (train / "a" / "empty").mkdir()
    said = build_train(train, output)
    assert "left out of the train: a/empty, a folder without files\n" in said
    assert not (output / "opt" / "pht_train" / "a" / "empty").exists()


def test_stations_are_shown_with_their_fingerprints(
    train: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = build_train(train, output)
    shown = capsys.readouterr().out
    for name, path in STATIONS:
        key = serialization.load_pem_public_key(path.read_bytes())
        der = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        assert f"{name}  {hashlib.sha256(der).hexdigest()}" in shown
    session = reference.load_config(output / "opt")["session_id"]
    assert f"session {session[:16]}…" in said
    assert f"is in {output / 'opt'}: 5 files, signed by user user-1" in said


# What cannot travel


def test_everything_that_cannot_travel_is_named_at_once(train: Path, output: Path) -> None:
    (train / "link").symlink_to("run.py")
    (train / "folder-link").symlink_to("a")
    os.mkfifo(train / "a" / "pipe")
    error = assert_not_built(MalformedTrain, "train-folder-unsuitable", train, output)
    assert error.problems == (
        "a/pipe is a special file",
        "folder-link is a symlink",
        "link is a symlink",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name must be valid Unicode")
def test_a_name_that_is_not_utf_8_is_refused(train: Path, output: Path) -> None:
    (train / os.fsdecode(b"\xff")).touch()
    error = assert_not_built(MalformedTrain, "train-folder-unsuitable", train, output)
    assert error.problems == ("the name of \udcff is not UTF-8",)


@pytest.mark.parametrize("files", [{}, {".git/config": "x"}, {"x.pyc": "x"}])
def test_a_train_without_files_is_refused(
    tmp_path: Path, output: Path, files: dict[str, str]
) -> None:
    (tmp_path / "train").mkdir()
    train = plant(tmp_path / "train", files)
    error = assert_not_built(MalformedTrain, "train-folder-unsuitable", train, output)
    assert error.problems == ("it holds no file",)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, output: Path) -> None:
    assert_not_built(MissingInput, "train-folder-missing", tmp_path / "nowhere", output)


# Stations and ids


def test_a_station_named_twice_is_refused(train: Path, output: Path) -> None:
    assert_not_built(
        UsageError, "stations-unsuitable", train, output, stations=[*STATIONS, STATIONS[0]]
    )


def test_a_route_on_which_the_configuration_would_outgrow_its_limit_is_refused(
    train: Path, output: Path
) -> None:
    """The first station would refuse it as well, but then it has been handed out."""
    stations = [(f"stop-{number}", STATIONS[0][1]) for number in range(6000)]
    assert_not_built(MalformedTrain, "route-too-long", train, output, stations=stations)


def test_a_train_without_stations_is_refused(train: Path, output: Path) -> None:
    assert_not_built(UsageError, "stations-unsuitable", train, output, stations=[])


@pytest.mark.parametrize("name", ["", "new\nline", "\udcff"])
@pytest.mark.parametrize("where", ["user", "train_id", "station"])
def test_an_id_that_cannot_be_written_down_is_refused(
    train: Path, output: Path, name: str, where: str
) -> None:
    options = {"stations": [(name, STATIONS[0][1])]} if where == "station" else {where: name}
    assert_not_built(UsageError, "id-unsuitable", train, output, **options)


# Places


@pytest.mark.parametrize("kind", ["file", "full folder", "dangling link"])
def test_an_output_that_exists_is_not_touched(train: Path, output: Path, kind: str) -> None:
    if kind == "file":
        output.write_text("precious")
    elif kind == "full folder":
        plant(output, {"file": "precious"})
    else:
        output.symlink_to("nowhere")
    assert_not_built(UsageError, "output-exists", train, output)


def test_the_folder_for_the_output_has_to_exist(train: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingInput) as refused:
        build_train(train, tmp_path / "no" / "root")
    assert refused.value.code == "output-parent-missing"
    assert not (tmp_path / "no").exists()


def test_an_output_inside_the_train_is_refused(train: Path) -> None:
    assert_not_built(UsageError, "path-inside-train", train, train / "root")


@pytest.mark.parametrize(
    "what", ["user_key", "password_file", "builder_key", "builder_password_file"]
)
def test_secrets_inside_the_train_are_refused(train: Path, output: Path, what: str) -> None:
    inside = train / "a" / "secret"
    shutil.copy(USER_KEY, inside)
    assert_not_built(UsageError, "path-inside-train", train, output, **{what: inside})


def test_a_link_to_the_train_hides_no_secret(train: Path, output: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(train)
    shutil.copy(USER_KEY, train / "user.pem")
    key = tmp_path / "alias" / "user.pem"
    assert_not_built(UsageError, "path-inside-train", train, output, user_key=key)

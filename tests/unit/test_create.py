"""Building a train: what is signed, what is left out, what is refused, and nothing half made."""

import hashlib
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from entrypoint.author.create import create
from entrypoint.errors import MalformedTrain, MissingInput, PhtError, SettingsError, UsageError
from tests import reference, reference_route
from tests.desk import Said, pht_on_terminal, plant
from tests.station import pht

KEYS = reference.VECTORS / "keys"
USER_KEY = KEYS / "user.sk.pem"
STATIONS = [(name, KEYS / f"{name}.pk.pem") for name in reference.STATIONS]
FILES = {"run.py": "print()", "a/z": "", "a-b": "twö", "B/ü.txt": "3", "query.json": "{}"}
IN_ORDER = ["B/ü.txt", "a/z", "a-b", "query.json", "run.py"]


def build(
    train: Path,
    output: Path,
    *,
    generation: str = "flat",
    user_key: Path = USER_KEY,
    password_file: Path | None = None,
    builder_key: Path | None = None,
    builder_password_file: Path | None = None,
    user: str = "user-1",
    train_id: str = "train-1",
    stations: list[tuple[str, Path]] = STATIONS,
) -> str:
    said = Said()
    create(
        train,
        output,
        generation=generation,
        user_key=user_key,
        password_file=password_file,
        builder_key=builder_key,
        builder_password_file=builder_password_file,
        user=user,
        train_id=train_id,
        stations=stations,
        proposal="17",
        master_image="python:slim",
        report=said,
    )
    return said.text


def refuse(
    error: type[PhtError], code: str, train: Path, output: Path, **options: object
) -> PhtError:
    """Check that nothing can be built and that nothing of the attempt is left."""
    before = {path: sorted(path.parent.iterdir()) for path in (train, output)}
    with pytest.raises(error) as refused:
        build(train, output, **options)  # type: ignore[arg-type]
    assert refused.value.code == code
    assert {path: sorted(path.parent.iterdir()) for path in (train, output)} == before
    return refused.value


@pytest.fixture
def train(tmp_path: Path) -> Path:
    return plant(tmp_path / "train", FILES)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """The user's key, encrypted with the password "secret"."""
    key = serialization.load_pem_private_key(USER_KEY.read_bytes(), None)
    path = tmp_path / "locked.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    return path


def test_an_independent_reader_accepts_the_train(train: Path, output: Path) -> None:
    build(train, output)
    opt = output / "opt"
    config = reference.load_config(opt)
    reference.verify_definition(config, opt / "pht_train")
    assert reference.verify_chain(config) == []
    assert config["immutable_file_list"] == IN_ORDER


def test_the_train_looks_like_those_of_published_builders(train: Path, output: Path) -> None:
    build(train, output)
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
    build(train, output)
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
    build(train, output)
    modes = {
        name: stat.S_IMODE((output / "opt" / "pht_train" / name).stat().st_mode)
        for name in ("run.py", "a-b")
    }
    assert modes == {"run.py": 0o750, "a-b": 0o604}


def test_only_the_session_differs_between_two_builds(train: Path, tmp_path: Path) -> None:
    build(train, tmp_path / "one")
    copied = shutil.copytree(train, tmp_path / "copy")  # made in another order on disk
    build(copied, tmp_path / "two")
    one, two = (reference.load_config(tmp_path / name / "opt") for name in ("one", "two"))
    different = {name for name in one if one[name] != two[name]}
    assert different == {"session_id", "e_h", "e_h_sig"}


def test_an_existing_empty_folder_is_filled(train: Path, output: Path) -> None:
    output.mkdir(mode=0o750)
    before = output.stat()
    build(train, output)
    assert (output.stat().st_ino, output.stat().st_mode) == (before.st_ino, before.st_mode)
    assert list(output.iterdir()) == [output / "opt"]


def test_of_hard_links_each_name_is_signed(train: Path, output: Path) -> None:
    os.link(train / "run.py", train / "same.py")
    build(train, output)
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
    said = build(train, output)
    assert f"pht: left out of the train: {named}\n" in said
    assert said.count("left out") == 1
    assert reference.load_config(output / "opt")["immutable_file_list"] == IN_ORDER
    assert not (output / "opt" / "pht_train" / named).exists()


def test_names_that_only_look_like_caches_travel(train: Path, output: Path) -> None:
    files = {".gitignore": "", ".git-data/x": "", "pyc": "", "x.pyc.txt": "", "__pycache__x": ""}
    plant(train, files)
    assert "left out" not in build(train, output)
    listed = reference.load_config(output / "opt")["immutable_file_list"]
    assert set(listed) == {*IN_ORDER, *files}


def test_a_folder_without_files_does_not_travel_and_that_is_said(train: Path, output: Path) -> None:
    (train / "a" / "empty").mkdir()
    said = build(train, output)
    assert "left out of the train: a/empty, a folder without files\n" in said
    assert not (output / "opt" / "pht_train" / "a" / "empty").exists()


def test_stations_are_shown_with_their_fingerprints(
    train: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = build(train, output)
    shown = capsys.readouterr().out
    for name, path in STATIONS:
        key = serialization.load_pem_public_key(path.read_bytes())
        der = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        assert f"{name}  {hashlib.sha256(der).hexdigest()}" in shown
    session = reference.load_config(output / "opt")["session_id"]
    assert f"session {session[:16]}…" in said
    assert "5 files, signed by user user-1" in said


# What cannot travel


def test_everything_that_cannot_travel_is_named_at_once(train: Path, output: Path) -> None:
    (train / "link").symlink_to("run.py")
    (train / "folder-link").symlink_to("a")
    os.mkfifo(train / "a" / "pipe")
    error = refuse(MalformedTrain, "train-folder-unsuitable", train, output)
    assert error.problems == (
        "a/pipe is a special file",
        "folder-link is a symlink",
        "link is a symlink",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name must be valid Unicode")
def test_a_name_that_is_not_utf_8_is_refused(train: Path, output: Path) -> None:
    (train / os.fsdecode(b"\xff")).touch()
    error = refuse(MalformedTrain, "train-folder-unsuitable", train, output)
    assert error.problems == ("\udcff is not named in UTF-8",)


@pytest.mark.parametrize("files", [{}, {".git/config": "x"}, {"x.pyc": "x"}])
def test_a_train_without_files_is_refused(
    tmp_path: Path, output: Path, files: dict[str, str]
) -> None:
    (tmp_path / "train").mkdir()
    train = plant(tmp_path / "train", files)
    error = refuse(MalformedTrain, "train-folder-unsuitable", train, output)
    assert error.problems == ("it holds no file",)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, output: Path) -> None:
    refuse(MissingInput, "train-folder-missing", tmp_path / "nowhere", output)


# Stations and ids


def test_a_station_named_twice_is_refused(train: Path, output: Path) -> None:
    refuse(UsageError, "stations-unsuitable", train, output, stations=[*STATIONS, STATIONS[0]])


def test_a_route_on_which_the_configuration_would_outgrow_its_limit_is_refused(
    train: Path, output: Path
) -> None:
    """The first station would refuse it as well, but then it has been handed out."""
    stations = [(f"stop-{number}", STATIONS[0][1]) for number in range(6000)]
    refuse(MalformedTrain, "route-too-long", train, output, stations=stations)


def test_a_train_without_stations_is_refused(train: Path, output: Path) -> None:
    refuse(UsageError, "stations-unsuitable", train, output, stations=[])


@pytest.mark.parametrize("name", ["", "new\nline", "\udcff"])
@pytest.mark.parametrize("where", ["user", "train_id", "station"])
def test_an_id_that_cannot_be_written_down_is_refused(
    train: Path, output: Path, name: str, where: str
) -> None:
    options = {"stations": [(name, STATIONS[0][1])]} if where == "station" else {where: name}
    refuse(UsageError, "id-unsuitable", train, output, **options)


# Keys


@pytest.mark.parametrize(
    ("damage", "error", "code"),
    [
        (
            lambda path: path.write_bytes(USER_KEY.read_bytes()),
            SettingsError,
            "public-key-unusable",
        ),
        (lambda path: path.write_text("no key"), SettingsError, "public-key-unusable"),
        (lambda path: None, MissingInput, "public-key-missing"),
    ],
    ids=["private", "nonsense", "missing"],
)
def test_a_bad_station_key_is_refused(
    train: Path,
    output: Path,
    tmp_path: Path,
    damage: Callable[[Path], object],
    error: type[PhtError],
    code: str,
) -> None:
    path = tmp_path / "station.pem"
    damage(path)
    refuse(error, code, train, output, stations=[("station_1", path)])


def test_a_public_key_cannot_sign(train: Path, output: Path) -> None:
    error = refuse(
        SettingsError, "private-key-unusable", train, output, user_key=KEYS / "user.pk.pem"
    )
    assert "is a public key" in error.message


def test_an_encrypted_key_is_opened_with_the_password_of_a_file(
    train: Path, output: Path, locked: Path, tmp_path: Path
) -> None:
    (tmp_path / "password").write_bytes(b"secret\n")
    build(train, output, user_key=locked, password_file=tmp_path / "password")
    config = reference.load_config(output / "opt")
    reference.verify_definition(config, output / "opt" / "pht_train")
    assert bytes.fromhex(config["rsa_user_public_key"]) == reference.vector_key("user")


def test_a_wrong_password_is_refused(
    train: Path, output: Path, locked: Path, tmp_path: Path
) -> None:
    (tmp_path / "password").write_bytes(b"wrong")
    refuse(
        SettingsError,
        "private-key-unusable",
        train,
        output,
        user_key=locked,
        password_file=tmp_path / "password",
    )


NO_PASSWORD: list[list[str]] = [[], ["--password-file", os.devnull]]


def command(train: Path, output: Path, key: Path) -> list[str | Path]:
    words: list[str | Path] = ["create", train, "--output", output, "--user-key", key]
    words += ["--generation", "flat"]
    words += ["--user", "user-1", "--train-id", "train-1"]
    return [*words, *(word for name, pem in STATIONS for word in ("--station", f"{name}={pem}"))]


@pytest.mark.parametrize("more", NO_PASSWORD, ids=["none given", "empty file"])
def test_the_password_is_asked_for_on_a_terminal(
    more: list[str], train: Path, output: Path, locked: Path
) -> None:
    status, shown = pht_on_terminal([*command(train, output, locked), *more], [b"secret"])
    assert status == 0
    assert "secret" not in shown
    opt = output / "opt"
    reference.verify_definition(reference.load_config(opt), opt / "pht_train")


@pytest.mark.parametrize("more", NO_PASSWORD, ids=["none given", "empty file"])
def test_without_a_terminal_the_password_has_to_be_in_a_file(
    more: list[str], train: Path, output: Path, locked: Path
) -> None:
    done = pht(*command(train, output, locked), *more)
    assert (done.status, done.code) == (64, "password-needed")
    assert "--password-file" in done.stderr
    assert not output.exists()


# Places


@pytest.mark.parametrize("kind", ["file", "full folder", "dangling link"])
def test_an_output_that_exists_is_not_touched(train: Path, output: Path, kind: str) -> None:
    if kind == "file":
        output.write_text("precious")
    elif kind == "full folder":
        plant(output, {"file": "precious"})
    else:
        output.symlink_to("nowhere")
    refuse(UsageError, "output-exists", train, output)


def test_the_folder_for_the_output_has_to_exist(train: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingInput) as refused:
        build(train, tmp_path / "no" / "root")
    assert refused.value.code == "output-parent-missing"
    assert not (tmp_path / "no").exists()


def test_an_output_inside_the_train_is_refused(train: Path) -> None:
    refuse(UsageError, "path-inside-train", train, train / "root")


@pytest.mark.parametrize(
    "what", ["user_key", "password_file", "builder_key", "builder_password_file"]
)
def test_secrets_inside_the_train_are_refused(train: Path, output: Path, what: str) -> None:
    inside = train / "a" / "secret"
    shutil.copy(USER_KEY, inside)
    refuse(UsageError, "path-inside-train", train, output, **{what: inside})


def test_a_link_to_the_train_hides_no_secret(train: Path, output: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(train)
    shutil.copy(USER_KEY, train / "user.pem")
    key = tmp_path / "alias" / "user.pem"
    refuse(UsageError, "path-inside-train", train, output, user_key=key)


# The route generation


BUILDER_KEY = reference_route.VECTORS / "keys" / "builder.sk.pem"


def build_route(train: Path, output: Path) -> str:
    return build(train, output, generation="route", builder_key=BUILDER_KEY)


def first_reader(opt: Path) -> dict[str, bytes]:
    """Return the files as the first station reads them, decrypted and verified without our code."""
    key = reference.vector_key(STATIONS[0][0], private=True)
    return reference_route.decrypt_definition(opt, key, STATIONS[0][0])


def test_an_independent_reader_accepts_a_train_with_a_route(train: Path, output: Path) -> None:
    said = build_route(train, output)
    files = first_reader(output / "opt")
    assert {name: content.decode() for name, content in files.items()} == FILES
    config = reference.load_config(output / "opt")
    assert reference_route.verify_chain(config) == []
    assert config["file_list"] == [name for name in IN_ORDER if name != "query.json"]
    assert "5 files, signed by user user-1" in said


def test_a_train_with_a_route_looks_like_the_published_ones(train: Path, output: Path) -> None:
    build_route(train, output)
    data = (output / "opt" / "train_config.json").read_bytes()
    config = json.loads(data)
    published = reference.load_config(reference_route.VECTORS / "stage0-initial")
    assert data == json.dumps(config, indent=2).encode()
    assert list(config) == list(published)
    for name in ("source", "creator", "build"):
        assert list(config[name]) == list(published[name])
    assert [list(stop) for stop in config["route"]] == [list(stop) for stop in published["route"]]
    assert [stop["encrypted_key"] is None for stop in config["route"]] == [False, True, True]
    assert [stop["station"] for stop in config["route"]] == list(reference.STATIONS)
    assert config["source"]["type"] == published["source"]["type"]
    assert (config["creator"]["id"], config["@id"]) == ("user-1", "train-1")


def test_files_of_a_train_with_a_route_are_encrypted_each_with_an_iv_of_its_own(
    train: Path, output: Path
) -> None:
    (train / "run.py").chmod(0o750)
    build_route(train, output)
    folder = output / "opt" / "pht_train"
    sealed = [(folder / name).read_bytes() for name in FILES]
    assert len({content[:16] for content in sealed}) == len(FILES)
    assert not any(plain.encode() in content for content in sealed for plain in ("print", "twö"))
    assert stat.S_IMODE((folder / "run.py").stat().st_mode) == 0o750


def test_a_train_with_a_route_needs_a_builder(train: Path, output: Path) -> None:
    refuse(UsageError, "builder-key-missing", train, output, generation="route")


def test_a_flat_train_has_no_place_for_a_builder(train: Path, output: Path) -> None:
    refuse(UsageError, "builder-key-unused", train, output, builder_key=BUILDER_KEY)


def test_trains_have_a_route_unless_their_author_says_otherwise(train: Path, output: Path) -> None:
    words = [word for word in command(train, output, USER_KEY) if word != "flat"]
    words.remove("--generation")
    assert pht(*words).code == "builder-key-missing"
    assert pht(*words, "--builder-key", BUILDER_KEY).status == 0
    assert len(first_reader(output / "opt")) == len(FILES)


def test_the_builders_key_may_have_a_password(
    train: Path, output: Path, locked: Path, tmp_path: Path
) -> None:
    (tmp_path / "password").write_bytes(b"secret\n")
    password = tmp_path / "password"
    build(train, output, generation="route", builder_key=locked, builder_password_file=password)
    assert len(first_reader(output / "opt")) == len(FILES)

"""Opening a sealed train: everyone entitled reads the plaintext, nobody reads anything doubtful."""

import io
import json
import shutil
import signal
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from entrypoint.errors import (
    IntegrityError,
    MalformedTrain,
    MissingInput,
    RouteError,
    SettingsError,
    UsageError,
)
from tests import reference
from tests.desk import pht_on_terminal, plant
from tests.station import finish, new_train, pht, snapshot, start, wait_until
from tests.unit.opening import (
    KEYS,
    READERS,
    VISITED,
    as_copied_opt,
    as_export,
    as_image,
    assert_not_opened,
    flip,
    key_file_of,
    open_train,
)


def as_root(opt: Path, _folder: Path) -> Path:
    return opt.parent


def as_opt(opt: Path, _folder: Path) -> Path:
    return opt


def as_tar_of_a_folder(opt: Path, folder: Path) -> Path:
    """Return a tar with `./` in front, as `tar -c .` writes it."""
    with tarfile.open(folder / "train.tar", "w") as tar:
        tar.add(opt, ".")
    return folder / "train.tar"


def as_compressed_tar(opt: Path, folder: Path) -> Path:
    with tarfile.open(folder / "train.tar.gz", "w:gz") as tar:
        tar.add(opt, "opt")
    return folder / "train.tar.gz"


SOURCES = (
    *(as_root, as_opt),
    *(as_export, as_copied_opt, as_tar_of_a_folder, as_compressed_tar),
    as_image,
)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("station", READERS)
@pytest.mark.parametrize("stage", VISITED)
def test_everyone_entitled_reads_exactly_the_plaintext(
    tmp_path: Path,
    output: Path,
    stage: int,
    station: str | None,
    source: Callable[[Path, Path], Path],
) -> None:
    opt = reference.lay_out(stage, tmp_path / "root")
    open_train(source(opt, tmp_path), output, station=station)
    (tmp_path / "plain").mkdir()
    plain = snapshot(reference.lay_out_plain(stage, tmp_path / "plain"))
    results = snapshot(output)
    assert results.pop(".")
    assert plain.pop(".")
    assert results == plain


def test_only_the_results_are_new(opt: Path, output: Path, tmp_path: Path) -> None:
    before = snapshot(opt, times=True)
    source = as_export(opt, tmp_path)
    present = set(tmp_path.iterdir())
    open_train(source, output)
    assert snapshot(opt, times=True) == before
    assert set(tmp_path.iterdir()) == present | {output}


def test_an_existing_empty_folder_is_filled(opt: Path, output: Path) -> None:
    output.mkdir(mode=0o700)
    inode = output.stat().st_ino
    open_train(opt, output)
    assert output.stat().st_ino == inode
    assert (output / "counter").read_bytes() == b"2"
    assert not list(output.glob(".pht-*"))


def test_the_route_is_shown(opt: Path, output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = open_train(opt, output)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[2:]] == [["1", "station_1"], ["2", "station_2"]]
    assert all(len(line.split()[2]) == 64 for line in lines[2:])
    files = reference.result_files(output)
    size = sum(len(file.content) for file in files.values())
    config = reference.load_config(opt)
    ids = f"train {config['train_id']} of user {config['user_id']}"
    assert f"{ids} has made 2 of 3 stops; its results are signed by station station_2\n" in said
    assert f"the decrypted results are in {output}: {len(files)} files, {size} bytes\n" in said


def test_links_are_named_because_nobody_signs_them(opt: Path, output: Path) -> None:
    said = open_train(opt, output)
    links = [path.relative_to(output) for path in output.rglob("*") if path.is_symlink()]
    assert links
    for link in links:
        assert f"warning: the link {link} is not covered by any signature" in said


def test_set_id_bits_of_a_station_do_not_count_here(opt: Path, output: Path) -> None:
    (opt / "pht_results" / "counter").chmod(0o6755)
    open_train(opt, output)
    assert stat.S_IMODE((output / "counter").stat().st_mode) == 0o755


def test_without_the_immutable_files_the_rest_is_verified_and_that_is_said(
    opt: Path, output: Path
) -> None:
    shutil.rmtree(opt / "pht_train")
    said = open_train(opt, output)
    assert "warning: there is no pht_train in the source" in said
    assert (output / "counter").read_bytes() == b"2"


# Keys


def test_the_first_stop_is_still_to_come(tmp_path: Path, output: Path) -> None:
    opt = reference.lay_out(0, tmp_path / "root")
    error = assert_not_opened(RouteError, "no-results-yet", opt, output)
    assert "no results" in error.message


@pytest.mark.parametrize(
    ("key", "station"),
    [("station_1", None), ("user", "station_1"), ("station_2", "station_1")],
)
def test_the_key_of_someone_else_is_refused(
    opt: Path, output: Path, key: str, station: str | None
) -> None:
    error = assert_not_opened(
        SettingsError, "key-of-someone-else", opt, output, key=key_file_of(key), station=station
    )
    assert (station or "the user") in error.message


def test_a_station_that_is_not_on_the_route_is_refused(opt: Path, output: Path) -> None:
    error = assert_not_opened(
        UsageError, "station-not-on-route", opt, output, key=key_file_of(None), station="station_9"
    )
    assert error.hint.startswith("check --station; ")
    assert '"station_1", "station_2", "station_3"' in error.hint


def test_a_public_key_does_not_decrypt(opt: Path, output: Path) -> None:
    assert_not_opened(SettingsError, "private-key-unusable", opt, output, key=KEYS / "user.pk.pem")


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """The user's key, encrypted with the password "secret"."""
    key = serialization.load_pem_private_key(key_file_of(None).read_bytes(), None)
    path = tmp_path / "locked.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    return path


def test_the_password_comes_from_a_file(
    opt: Path, output: Path, locked: Path, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("secret\n")
    open_train(opt, output, key=locked, password_file=tmp_path / "password")
    assert (output / "counter").read_bytes() == b"2"


@pytest.mark.parametrize(("answer", "status"), [(b"secret", 0), (b"wrong", 78)])
def test_the_password_is_asked_for_on_a_terminal(
    opt: Path, output: Path, locked: Path, answer: bytes, status: int
) -> None:
    words: list[str | Path] = ["decrypt-results", opt, "--key", locked, "--output", output]
    assert pht_on_terminal(words, [answer])[0] == status
    assert output.exists() == (status == 0)


# Sources and places


@pytest.mark.parametrize("files", [None, {}, {"other.json": ""}, {"opt/other": ""}])
def test_a_source_without_a_train_is_refused(
    tmp_path: Path, output: Path, files: dict[str, str] | None
) -> None:
    source = tmp_path / "source"
    if files is not None:
        source.mkdir()
        plant(source, files)
    assert_not_opened(MissingInput, "source-incomplete", source, output)


def test_a_source_without_results_is_refused(opt: Path, output: Path) -> None:
    shutil.rmtree(opt / "pht_results")
    error = assert_not_opened(MissingInput, "source-incomplete", opt, output)
    assert "the results are not in the source" in error.message


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, output: Path) -> None:
    (tmp_path / "train.tar").write_bytes(b"no tar" * 1000)
    assert_not_opened(MalformedTrain, "archive-malformed", tmp_path / "train.tar", output)


def test_half_an_archive_is_refused(opt: Path, output: Path, tmp_path: Path) -> None:
    tar = as_export(opt, tmp_path)
    tar.write_bytes(tar.read_bytes()[:1000])  # in the midst of train_config.json
    assert_not_opened(MalformedTrain, "archive-malformed", tar, output)


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "pht_results/../../escaped"])
def test_an_archive_cannot_write_elsewhere(
    opt: Path, output: Path, tmp_path: Path, name: str
) -> None:
    tar = as_export(opt, tmp_path)
    with tarfile.open(tar, "a") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert_not_opened(MalformedTrain, "archive-malformed", tar, output)


def test_an_output_that_exists_is_not_touched(opt: Path, output: Path) -> None:
    plant(output, {"mine": "precious"})
    assert_not_opened(UsageError, "output-exists", opt, output)


def test_a_failure_leaves_an_empty_output_empty(opt: Path, output: Path) -> None:
    output.mkdir()
    flip(opt / "pht_results" / "counter")
    assert_not_opened(IntegrityError, "results-unverified", opt, output)
    assert list(output.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_leaves_no_plaintext(
    output: Path, tmp_path: Path, number: signal.Signals
) -> None:
    opt = new_train(tmp_path / "root", "")
    (opt / "pht_results" / "large").write_bytes(bytes(60_000_000))
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))

    process = start("decrypt-results", opt, "--key", key_file_of(None), "--output", output)
    wait_until(lambda: any(path.stat().st_size for path in tmp_path.glob(".pht-*/new/large")))
    process.send_signal(number)

    assert finish(process)[:2] == (130, b"")
    assert list(tmp_path.iterdir()) == [tmp_path / "root"]


def test_the_command_line_passes_everything_on(opt: Path, output: Path, tmp_path: Path) -> None:
    tar = as_export(opt, tmp_path)
    words: list[str | Path] = ["decrypt-results", tar, "--key", key_file_of("station_3")]
    done = pht(*words, "--station", "station_3", "--output", output)
    assert done.status == 0, done.stderr
    assert "station_2" in done.stdout.decode()
    assert json.loads((output / "counter").read_bytes()) == 2

"""Opening a sealed train: everyone entitled reads the plaintext, nobody reads anything doubtful."""

import io
import json
import shutil
import signal
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from entrypoint.author.decrypt_results import decrypt_results
from entrypoint.errors import (
    IntegrityError,
    MalformedTrain,
    MissingInput,
    PhtError,
    RouteError,
    SettingsError,
    UsageError,
)
from tests import reference
from tests.desk import Said, pht_on_terminal, plant
from tests.station import edit, finish, new_train, pht, snapshot, start, wait_until

KEYS = reference.VECTORS / "keys"
READERS = (None, *reference.STATIONS)
VISITED = (1, 2, 3)


def key_of(station: str | None) -> Path:
    return KEYS / f"{station or 'user'}.sk.pem"


def open_train(
    source: Path,
    output: Path,
    *,
    key: Path | None = None,
    password_file: Path | None = None,
    station: str | None = None,
) -> str:
    said = Said()
    decrypt_results(
        source,
        output,
        key=key or key_of(station),
        password_file=password_file,
        station=station,
        report=said,
    )
    return said.text


def refuse(
    error: type[PhtError], code: str, source: Path, output: Path, **options: Any
) -> PhtError:
    """Check that nothing is decrypted and that nothing of the attempt is left."""
    before = snapshot(output.parent)
    with pytest.raises(error) as refused:
        open_train(source, output, **options)
    assert refused.value.code == code
    assert snapshot(output.parent) == before
    return refused.value


def as_root(opt: Path, _folder: Path) -> Path:
    return opt.parent


def as_opt(opt: Path, _folder: Path) -> Path:
    return opt


def as_export(opt: Path, folder: Path) -> Path:
    assert pht("export", "--output", folder / "train.tar", root=opt.parent).status == 0
    return folder / "train.tar"


def as_copied_opt(opt: Path, folder: Path) -> Path:
    """Return a tar with `opt/` in front, as `docker cp CONTAINER:/opt -` writes it."""
    with tarfile.open(folder / "train.tar", "w") as tar:
        tar.add(opt, "opt")
    return folder / "train.tar"


def as_tar_of_a_folder(opt: Path, folder: Path) -> Path:
    """Return a tar with `./` in front, as `tar -c .` writes it."""
    with tarfile.open(folder / "train.tar", "w") as tar:
        tar.add(opt, ".")
    return folder / "train.tar"


SOURCES = (as_root, as_opt, as_export, as_copied_opt, as_tar_of_a_folder)


@pytest.fixture
def opt(tmp_path: Path) -> Path:
    """A train of the vectors after its second stop."""
    return reference.lay_out(2, tmp_path / "root")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "results"


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
    assert f"decrypted {len(files)} files, {size} bytes, to {output}" in said


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


# What is not authentic


def flip(path: Path, position: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("stage", VISITED)
def test_a_flipped_byte_in_any_result_is_refused(tmp_path: Path, output: Path, stage: int) -> None:
    opt = reference.lay_out(stage, tmp_path / "root")
    for name in reference.result_files(opt / "pht_results"):
        path = opt / "pht_results" / name
        honest = path.read_bytes()
        flip(path, len(honest) // 2)
        refuse(IntegrityError, "results-unverified", opt, output)
        path.write_bytes(honest)
    open_train(opt, output)


@pytest.mark.parametrize("position", [0, 40, -1])
@pytest.mark.parametrize("station", READERS)
def test_no_reader_takes_a_flipped_byte(
    opt: Path, output: Path, station: str | None, position: int
) -> None:
    flip(opt / "pht_results" / "counter", position)
    refuse(IntegrityError, "results-unverified", opt, output, station=station)


def test_a_flipped_byte_in_any_immutable_file_is_refused(opt: Path, output: Path) -> None:
    for name in reference.load_config(opt)["immutable_file_list"]:
        path = opt / "pht_train" / name
        honest = path.read_bytes()
        if honest:
            flip(path)
            refuse(IntegrityError, "definition-changed", opt, output)
            path.write_bytes(honest)
    open_train(opt, output)


def flipped(text: str) -> str:
    """Return hex with its last digit changed."""
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def change_link(number: int, part: int) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        signature = config["digital_signature"][number]["sig"]
        signature[part] = flipped(signature[part])

    return change


def change_field(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda config: config.update({name: flipped(config[name])})


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        (change_field("session_id"), IntegrityError, "definition-changed"),
        (change_field("e_h"), IntegrityError, "definition-changed"),
        (change_field("e_h_sig"), IntegrityError, "user-signature-wrong"),
        (change_field("e_d"), IntegrityError, "results-unverified"),
        (change_field("e_d_sig"), IntegrityError, "results-unverified"),
        (change_field("user_encrypted_sym_key"), IntegrityError, "results-unverified"),
        (change_link(0, 0), RouteError, "chain-broken"),
        (change_link(0, 1), RouteError, "chain-broken"),
        (change_link(1, 0), RouteError, "chain-broken"),
        (change_link(1, 1), RouteError, "chain-broken"),
        (lambda config: config.update(user_id="another"), IntegrityError, "definition-changed"),
        (lambda config: config.update(e_d=None), RouteError, "first-stop-contradiction"),
        (lambda config: config["digital_signature"].pop(0), RouteError, "chain-broken"),
        (lambda config: config.update(pht_unfinished=""), MalformedTrain, "config-unfinished"),
    ],
)
def test_a_changed_configuration_is_refused(
    opt: Path,
    output: Path,
    change: Callable[[dict[str, Any]], object],
    error: type[PhtError],
    code: str,
) -> None:
    edit(opt, change)
    refuse(error, code, opt, output)


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        (change_field("e_h"), IntegrityError, "user-signature-wrong"),
        (change_field("e_h_sig"), IntegrityError, "user-signature-wrong"),
        (change_link(1, 0), RouteError, "chain-broken"),
    ],
)
def test_signatures_are_verified_without_the_immutable_files_too(
    opt: Path,
    output: Path,
    change: Callable[[dict[str, Any]], object],
    error: type[PhtError],
    code: str,
) -> None:
    shutil.rmtree(opt / "pht_train")
    edit(opt, change)
    refuse(error, code, opt, output)


@pytest.mark.parametrize("name", ["pht_train", "pht_results", "train_config.json"])
def test_a_link_in_the_place_of_a_part_is_refused(opt: Path, output: Path, name: str) -> None:
    (opt / name).rename(opt.parent / "elsewhere")
    (opt / name).symlink_to(opt.parent / "elsewhere")
    refuse(IntegrityError, "link-in-place", opt, output)


def test_a_renamed_result_that_changes_the_order_is_refused(opt: Path, output: Path) -> None:
    (opt / "pht_results" / "counter").rename(opt / "pht_results" / "zzz")
    refuse(IntegrityError, "results-unverified", opt, output)


def test_a_link_out_of_the_results_is_refused(opt: Path, output: Path) -> None:
    (opt / "pht_results" / "out").symlink_to("../../../../etc/passwd")
    refuse(MalformedTrain, "results-unsafe", opt, output)


# Keys


def test_the_first_stop_is_still_to_come(tmp_path: Path, output: Path) -> None:
    opt = reference.lay_out(0, tmp_path / "root")
    error = refuse(RouteError, "no-results-yet", opt, output)
    assert "no results" in error.message


@pytest.mark.parametrize(
    ("key", "station"),
    [("station_1", None), ("user", "station_1"), ("station_2", "station_1")],
)
def test_the_key_of_someone_else_is_refused(
    opt: Path, output: Path, key: str, station: str | None
) -> None:
    error = refuse(
        SettingsError, "key-of-someone-else", opt, output, key=key_of(key), station=station
    )
    assert (station or "the user") in error.message


def test_a_station_that_is_not_on_the_route_is_refused(opt: Path, output: Path) -> None:
    error = refuse(
        UsageError, "station-not-on-route", opt, output, key=key_of(None), station="station_9"
    )
    assert error.hint.startswith("check --station; ")
    assert '"station_1", "station_2", "station_3"' in error.hint


def test_a_public_key_does_not_decrypt(opt: Path, output: Path) -> None:
    refuse(SettingsError, "private-key-unusable", opt, output, key=KEYS / "user.pk.pem")


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """The user's key, encrypted with the password "secret"."""
    key = serialization.load_pem_private_key(key_of(None).read_bytes(), None)
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
    refuse(MissingInput, "source-incomplete", source, output)


def test_a_source_without_results_is_refused(opt: Path, output: Path) -> None:
    shutil.rmtree(opt / "pht_results")
    error = refuse(MissingInput, "source-incomplete", opt, output)
    assert "the results are not in the source" in error.message


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, output: Path) -> None:
    (tmp_path / "train.tar").write_bytes(b"no tar" * 1000)
    refuse(MalformedTrain, "archive-malformed", tmp_path / "train.tar", output)


def test_half_an_archive_is_refused(opt: Path, output: Path, tmp_path: Path) -> None:
    tar = as_export(opt, tmp_path)
    tar.write_bytes(tar.read_bytes()[:1000])  # in the midst of train_config.json
    refuse(MalformedTrain, "archive-malformed", tar, output)


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "pht_results/../../escaped"])
def test_an_archive_cannot_write_elsewhere(
    opt: Path, output: Path, tmp_path: Path, name: str
) -> None:
    tar = as_export(opt, tmp_path)
    with tarfile.open(tar, "a") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    refuse(MalformedTrain, "archive-malformed", tar, output)


def test_an_output_that_exists_is_not_touched(opt: Path, output: Path) -> None:
    plant(output, {"mine": "precious"})
    refuse(UsageError, "output-exists", opt, output)


def test_a_failure_leaves_an_empty_output_empty(opt: Path, output: Path) -> None:
    output.mkdir()
    flip(opt / "pht_results" / "counter")
    refuse(IntegrityError, "results-unverified", opt, output)
    assert list(output.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_leaves_no_plaintext(
    output: Path, tmp_path: Path, number: signal.Signals
) -> None:
    opt = new_train(tmp_path / "root", "")
    (opt / "pht_results" / "large").write_bytes(bytes(60_000_000))
    reference.published_post_run(opt, "station_1", reference.vector_key("station_1", private=True))

    process = start("decrypt-results", opt, "--key", key_of(None), "--output", output)
    wait_until(lambda: any(path.stat().st_size for path in tmp_path.glob(".pht-*/new/large")))
    process.send_signal(number)

    assert finish(process)[:2] == (130, b"")
    assert list(tmp_path.iterdir()) == [tmp_path / "root"]


def test_the_command_line_passes_everything_on(opt: Path, output: Path, tmp_path: Path) -> None:
    tar = as_export(opt, tmp_path)
    words: list[str | Path] = ["decrypt-results", tar, "--key", key_of("station_3")]
    done = pht(*words, "--station", "station_3", "--output", output)
    assert done.status == 0, done.stderr
    assert "station_2" in done.stdout.decode()
    assert json.loads((output / "counter").read_bytes()) == 2

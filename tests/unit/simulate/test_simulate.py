"""A whole route on one desk, every visit by the real runner; what is refused before the first."""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoint.author import private_keys
from entrypoint.errors import (
    MalformedTrain,
    MissingInput,
    SettingsError,
    SystemFailure,
    UsageError,
)
from entrypoint.linux.namespaces import available
from entrypoint.model import GENERATIONS
from tests import reference, reference_route
from tests.desk import pht_on_terminal, plant
from tests.station import pht
from tests.unit.simulating import (
    COMMAND,
    IN_ORDER,
    assert_not_sent,
    seen,
    send,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("temporary")]


# What arrives


def test_a_train_visits_the_folders_of_data_numbers_in_their_names_counted(
    train: Path, data: Path, output: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status, said = send(train, data, output=output)
    assert (status, seen(output)) == (0, IN_ORDER)
    assert list(output.iterdir()) == [output / "seen.json"]
    rows = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert rows[0] == ["stop", "station", "status", "files", "bytes", "seconds"]
    assert [row[:4] for row in rows[2:]] == [
        ["1", "s-1", "visited", "1"],
        ["2", "s-2", "visited", "1"],
        ["3", "s-10", "visited", "1"],
    ]
    assert rows[-1][4] == str((output / "seen.json").stat().st_size)
    assert "the train has made its whole route of 3 stops\n" in said
    assert f"the decrypted final results are in {output}" in said


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_author_chooses_the_generation(
    generation: str, train: Path, data: Path, output: Path, keep: Path
) -> None:
    status, _ = send(train, data, output=output, keep=keep, generation=generation)
    assert (status, seen(output)) == (0, IN_ORDER)
    config = reference.load_config(keep / "03-s-10/opt")
    assert ("route" in config, "digital_signature" in config) == (
        generation == "route",
        generation == "flat",
    )


def test_progress_is_plain_lines_without_a_terminal(train: Path, data: Path) -> None:
    _, said = send(train, data)
    assert [line for line in said.splitlines() if ": stop " in line] == [
        "pht: stop 1 of 3: s-1",
        "pht: stop 2 of 3: s-2",
        "pht: stop 3 of 3: s-10",
    ]
    assert "\r" not in said
    assert "the results were not kept" in said


def test_progress_is_one_line_on_a_terminal(train: Path, data: Path) -> None:
    words: list[str | Path] = ["simulate", train, "--data", data, "--route", "s-1,s-2"]
    status, shown = pht_on_terminal([*words, "--", *COMMAND])
    assert status == 0
    line = r"\r\x1b\[Kpht: "
    stops = "".join(rf"({line}stop {number} of 2: s-{number}(, \d+ s)?)+" for number in (1, 2))
    assert re.search(stops + r"\r\x1b\[K", shown)


def test_a_given_route_is_followed(train: Path, data: Path, output: Path) -> None:
    status, _ = send(train, data, route=["s-10", "s-1"], output=output)
    assert (status, seen(output)) == (0, [["s-10", "ten"], ["s-1", "one"]])


def test_several_files_of_data_are_given_as_their_folder(
    train: Path, data: Path, output: Path
) -> None:
    plant(data, {"s-1/more.csv": ""})
    send(train, data, route=["s-1"], output=output)
    assert seen(output) == [["s-1", ["more.csv", "rows.csv"]]]


def test_what_is_no_folder_of_a_station_is_passed_over(
    train: Path, data: Path, output: Path
) -> None:
    plant(data, {"README.md": "", ".cache/x": ""})
    status, _ = send(train, data, output=output)
    assert (status, seen(output)) == (0, IN_ORDER)


def test_the_authors_own_environment_does_not_reach_the_train(
    train: Path, data: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHT_TIMEOUT", "nonsense")
    monkeypatch.setenv("STATION_ID", "elsewhere")
    monkeypatch.setenv("SECRET_TOKEN", "secret")
    script = "open(os.environ['PHT_RESULTS_DIR'] + '/env', 'w').write(str(os.environ))"
    plant(train, {"train.py": f"import os\n{script}"})
    status, _ = send(train, data, route=["s-1"], output=output)
    assert status == 0
    environment = (output / "env").read_text()
    assert "'STATION_ID': 's-1'" in environment
    assert "secret" not in environment
    assert "PHT_TIMEOUT" not in environment


@pytest.fixture
def elsewhere(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A folder of temporary files that is not below `/tmp`, where trains may write anyway."""
    with tempfile.TemporaryDirectory(dir=Path.home(), prefix=".pht-test-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr("tempfile.tempdir", folder)
        yield folder


@pytest.mark.usefixtures("elsewhere")
def test_the_working_folder_is_as_at_a_station(train: Path, data: Path, output: Path) -> None:
    script = "Path('Rplots.pdf').touch()\nPath('./opt/pht_results/x').write_text('x')\n"
    plant(train, {"train.py": f"from pathlib import Path\n{script}"})
    status, said = send(train, data, route=["s-1"], output=output)
    assert status == 0, said
    assert (output / "x").read_text() == "x"


@pytest.mark.parametrize(
    ("command", "workdir"),
    [
        (["python", "opt/pht_train/train.py"], None),
        (["./opt/pht_train/train.sh"], None),
        (["python", "train.py"], "/opt/pht_train"),
        (["./train.sh"], "/opt/pht_train"),
    ],
)
def test_a_relative_command_is_found_from_the_working_folder_of_the_image(
    command: list[str], workdir: str | None, train: Path, data: Path
) -> None:
    plant(train, {"train.sh": f"#!/bin/sh\ntest -e {command[-1]}"})
    (train / "train.sh").chmod(0o755)
    isolation = available()
    status, said = send(
        train, data, route=["s-1"], command=command, workdir=workdir, isolation=isolation
    )
    assert status == 0, said


# Keys and kept folders


def test_every_kept_folder_can_be_opened_by_hand(
    train: Path, data: Path, keep: Path, tmp_path: Path
) -> None:
    status, said = send(train, data, keep=keep)
    assert status == 0
    user = (keep / "user.private.pem").read_bytes()
    roots = [keep / name for name in ("01-s-1", "02-s-2", "03-s-10")]
    for count, root in enumerate(roots, start=1):
        decrypted = reference_route.decrypt_results(root / "opt", user)
        assert json.loads(decrypted["seen.json"].content) == IN_ORDER[:count]
    [line] = [line for line in said.splitlines() if "by hand: " in line]
    words = line.partition("by hand: pht ")[2].replace("DIR", str(tmp_path / "mine")).split()
    assert pht(*words).status == 0
    assert seen(tmp_path / "mine") == IN_ORDER


def test_the_train_is_signed_as_create_signs_it(train: Path, data: Path, keep: Path) -> None:
    send(train, data, route=["s-2"], keep=keep)
    opt = keep / "train" / "opt"
    key = (keep / "keys" / "s-2.private.pem").read_bytes()
    files = reference_route.decrypt_definition(opt, key, "s-2")
    assert list(files) == ["train.py", "query.json"]


def test_the_output_of_every_visit_is_kept(train: Path, data: Path, keep: Path) -> None:
    send(train, data, keep=keep)
    for name in ("01-s-1", "02-s-2", "03-s-10"):
        log = (keep / f"{name}.log").read_text()
        assert f"at {name[3:]}\n" in log
        assert '{"level": "status", "result": "visited"' in log


def test_throw_away_keys_are_for_their_owner_only(train: Path, data: Path, keep: Path) -> None:
    send(train, data, route=["s-1"], keep=keep)
    keys = [keep / "user.private.pem", keep / "keys" / "s-1.private.pem"]
    assert [key.stat().st_mode & 0o777 for key in keys] == [0o600, 0o600]


@pytest.mark.parametrize(("name", "in_hex"), [("s-2.pem", False), ("s-2.private.pem", True)])
def test_given_keys_are_used(
    train: Path, data: Path, keep: Path, tmp_path: Path, name: str, in_hex: bool
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    given = reference.vector_key("station_2", private=True)
    (keys / name).write_bytes(given.hex().encode() if in_hex else given)
    status, _ = send(train, data, keys=keys, keep=keep)
    assert status == 0
    stop = reference_route.stop_of(reference.load_config(keep / "train" / "opt"), "s-2")
    assert bytes.fromhex(stop["rsa_public_key"]) == reference.vector_key("station_2")
    decrypted = reference_route.decrypt_results(keep / "03-s-10" / "opt", given, "s-2")
    assert json.loads(decrypted["seen.json"].content) == IN_ORDER
    assert sorted(path.name for path in (keep / "keys").iterdir()) == [
        "s-1.private.pem",
        "s-10.private.pem",
    ]


def test_a_given_key_with_a_password_is_refused(train: Path, data: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    pem = private_keys.pem(private_keys.generate(2048), b"secret")
    (keys / "s-1.pem").write_bytes(pem)
    assert_not_sent(SettingsError, "private-key-unusable", train, data, keys=keys)


# What is refused before the start


def test_a_station_without_data_is_refused(train: Path, data: Path) -> None:
    error = assert_not_sent(MissingInput, "station-data-missing", train, data, route=["s-1", "s-3"])
    assert 'the data of station "s-3"' in error.message


@pytest.mark.parametrize("files", [None, {"README.md": ""}])
def test_data_without_stations_is_refused(
    train: Path, tmp_path: Path, files: dict[str, str] | None
) -> None:
    data = plant(tmp_path / "data", files or {})
    assert_not_sent(MissingInput, "station-data-missing", train, data)


def test_a_station_can_be_visited_once_only(train: Path, data: Path) -> None:
    assert_not_sent(UsageError, "stations-unsuitable", train, data, route=["s-1", "s-2", "s-1"])


def test_a_folder_of_keys_that_is_not_there_is_refused(train: Path, data: Path) -> None:
    assert_not_sent(MissingInput, "keys-folder-missing", train, data, keys=data / "nowhere")


def test_a_folder_that_cannot_become_a_train_is_refused(
    train: Path, data: Path, output: Path
) -> None:
    (train / "link").symlink_to("train.py")
    assert_not_sent(MalformedTrain, "train-folder-unsuitable", train, data, output=output)
    assert not output.exists()


@pytest.mark.parametrize("option", ["output", "keep"])
def test_folders_that_are_in_use_are_refused(
    train: Path, data: Path, tmp_path: Path, option: str
) -> None:
    used = plant(tmp_path / "used", {"mine": "precious"})
    assert_not_sent(UsageError, "output-exists", train, data, **{option: used})
    assert_not_sent(UsageError, "path-inside-train", train, data, **{option: train / "new"})
    assert os.listdir(used) == ["mine"]


def test_visits_without_an_image_need_linux(train: Path, data: Path) -> None:
    assert_not_sent(SystemFailure, "linux-needed", train, data, isolation=None)

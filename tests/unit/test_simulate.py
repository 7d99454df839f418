"""A whole route on one desk: every visit by the real runner, and what is told when one fails."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from entrypoint.author import private_keys
from entrypoint.author.runner import read_log
from entrypoint.author.simulate import simulate
from entrypoint.errors import (
    MalformedTrain,
    MissingInput,
    PhtError,
    SettingsError,
    SystemFailure,
    UsageError,
)
from entrypoint.model import GENERATIONS
from tests import reference, reference_route
from tests.desk import Said, pht_on_terminal, plant
from tests.station import PATIENCE_S, REPOSITORY, pht, wait_until

COMMAND = ["python", "/opt/pht_train/train.py"]
TRAIN = """
import json, os, sys
from pathlib import Path

results = Path(os.environ["PHT_RESULTS_DIR"]) / "seen.json"
seen = json.loads(results.read_text()) if results.exists() else []
data = Path(os.environ["TRAIN_DATA_PATH"])
rows = data.read_text() if data.is_file() else sorted(path.name for path in data.iterdir())
print("at", os.environ["STATION_ID"])
if rows == "bad":
    print("first line of trouble", flush=True)
    sys.exit("the data is bad")
results.write_text(json.dumps([*seen, [os.environ["STATION_ID"], rows]]))
"""
DATA = {"s-2/rows.csv": "two", "s-10/rows.csv": "ten", "s-1/rows.csv": "one"}
IN_ORDER = [["s-1", "one"], ["s-2", "two"], ["s-10", "ten"]]


@pytest.fixture
def train(tmp_path: Path) -> Path:
    return plant(tmp_path / "train", {"train.py": TRAIN, "query.json": "{}"})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return plant(tmp_path / "data", DATA)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def keep(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of temporary files, which has to be empty again after every simulation."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield folder
    assert list(folder.iterdir()) == []


def send(
    train: Path,
    data: Path,
    *,
    route: list[str] | None = None,
    keys: Path | None = None,
    output: Path | None = None,
    keep: Path | None = None,
    image: str | None = None,
    generation: str = "route",
    command: list[str] | None = None,
) -> tuple[int, str]:
    said = Said()
    status = simulate(
        train,
        data,
        route=route,
        keys=keys,
        output=output,
        keep=keep,
        image=image,
        generation=generation,
        command=COMMAND if command is None else command,
        report=said,
    )
    return status, said.text


def seen(output: Path) -> list[list[object]]:
    found: list[list[object]] = json.loads((output / "seen.json").read_text())
    return found


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
    assert f"the final results, decrypted, are in {output}" in said


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
    assert "nothing was kept" in said


def test_progress_is_one_line_on_a_terminal(train: Path, data: Path) -> None:
    words: list[str | Path] = ["simulate", train, "--data", data, "--route", "s-1,s-2"]
    status, shown = pht_on_terminal([*words, "--", *COMMAND])
    assert status == 0
    assert "\r\x1b[Kpht: stop 1 of 2: s-1\r\x1b[Kpht: stop 2 of 2: s-2\r\x1b[K" in shown


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


@pytest.mark.parametrize("name", ["s-2.pem", "s-2.private.pem"])
def test_given_keys_are_used(
    train: Path, data: Path, keep: Path, tmp_path: Path, name: str
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    given = reference.vector_key("station_2", private=True)
    (keys / name).write_bytes(given)
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
    refuse(SettingsError, "private-key-unusable", train, data, keys=keys)


# What fails


def test_a_train_that_fails_is_placed_and_quoted(
    train: Path, data: Path, output: Path, keep: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plant(data, {"s-2/rows.csv": "bad"})
    status, said = send(train, data, output=output, keep=keep)
    assert status == 1
    assert not output.exists()
    assert "pht: | at s-2\npht: | first line of trouble\npht: | the data is bad\n" in said
    assert "error: stop 2 of 3, station s-2, stage command" in said
    assert "ended with status 1 [train-failed]\npht: hint: the train's author changes it" in said
    assert f"the folders and logs of all stations are in {keep}" in said
    last = said.splitlines()[-1]
    assert last.startswith("pht: result=train-failed status=1 stage=command")
    assert last.endswith("station=s-2")
    assert capfd.readouterr().out == ""
    assert not (keep / "03-s-10").exists()
    # The failed visit was taken back: the train is as the first station left it.
    first = (keep / "01-s-1" / "opt" / "train_config.json").read_bytes()
    assert (keep / "02-s-2" / "opt" / "train_config.json").read_bytes() == first


def test_without_keep_the_way_to_keep_is_told(train: Path, data: Path) -> None:
    plant(data, {"s-1/rows.csv": "bad"})
    status, said = send(train, data)
    assert status == 1
    assert "with --keep DIR the folders of all stations stay" in said


def test_a_long_output_is_quoted_from_its_end(train: Path, data: Path) -> None:
    plant(train, {"train.py": "for n in range(100_000): print('line', n)\nraise SystemExit(3)"})
    status, said = send(train, data, route=["s-1"])
    assert status == 3
    quoted = [line for line in said.splitlines() if line.startswith("pht: | ")]
    assert quoted == [f"pht: | line {number}" for number in range(99_980, 100_000)]


def test_a_refusal_of_the_runner_is_passed_on(train: Path, data: Path) -> None:
    status, said = send(train, data, command=["python", "-c", "print()"])
    assert status == 77
    assert "station s-1" in said
    assert "[command-not-signed]" in said
    assert "hint: build the image with CMD" in said
    assert "code=command-not-signed" in said.splitlines()[-1]


def test_a_command_that_is_not_there_is_told(train: Path, data: Path) -> None:
    (train / "train.sh").write_text("#!/no/such/interpreter\n")
    (train / "train.sh").chmod(0o755)
    status, said = send(train, data, command=["/opt/pht_train/train.sh"])
    assert status == 127
    assert "train.sh, is there, but /no/such/interpreter, which its #! line names, is not" in said


def test_a_runner_that_is_killed_is_told(train: Path, data: Path) -> None:
    plant(train, {"train.py": "import os\nos.kill(os.getppid(), 9)\nimport time\ntime.sleep(60)"})
    status, said = send(train, data)
    assert status == 128 + 9
    assert "the runner ended with status 137, without the status line of a visit" in said
    assert said.splitlines()[-1] == "pht: result=runner-failed status=137 station=s-1"


def test_a_status_line_that_the_train_has_made_up_is_not_passed_on(train: Path, data: Path) -> None:
    line = json.dumps({"level": "status", "result": "visited", "status": 0, "stage": "commit"})
    script = f"import os, time\nprint({line!r}, flush=True)\nos.kill(os.getppid(), 9)"
    plant(train, {"train.py": f"{script}\ntime.sleep(60)"})
    status, said = send(train, data)
    assert status == 128 + 9
    assert "stage start: the runner ended with status 137" in said
    assert said.splitlines()[-1] == "pht: result=runner-failed status=137 station=s-1"


def test_output_without_a_line_end_hides_no_message(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('no line end{"level": "status", "status": 1}\n{"level": not json\n3\n')
    read = read_log(log)
    assert read.facts == {"status": 1}
    assert read.train == ["no line end", '{"level": not json', "3"]


def test_the_names_of_an_imitated_status_line_are_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('{"level": "status", "status": 1, "a result=visited status=0 b": 2}\n')
    assert read_log(log).facts == {"status": 1}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_simulation_leaves_nothing_behind(
    train: Path, data: Path, output: Path, tmp_path: Path, number: signal.Signals
) -> None:
    started = tmp_path / "started"
    script = (
        f"import os, time\nopen({str(started)!r}, 'w').write(f'{{os.getpid()}} {{os.getppid()}}')"
    )
    plant(train, {"train.py": f"{script}\ntime.sleep(600)"})
    words = ["simulate", train, "--data", data, "--output", output, "--", *COMMAND]
    process = subprocess.Popen(
        [sys.executable, "-m", "entrypoint", *map(str, words)],
        cwd=REPOSITORY,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: started.exists() and " " in started.read_text())
    process.send_signal(number)
    assert process.wait(PATIENCE_S) == 130
    for pid in started.read_text().split():
        assert not Path("/proc", pid).exists()
    assert not output.exists()


# What is refused before the start


def refuse(
    error: type[PhtError], code: str, train: Path, data: Path, **options: object
) -> PhtError:
    with pytest.raises(error) as refused:
        send(train, data, **options)  # type: ignore[arg-type]
    assert refused.value.code == code
    return refused.value


def test_a_station_without_data_is_refused(train: Path, data: Path) -> None:
    error = refuse(MissingInput, "station-data-missing", train, data, route=["s-1", "s-3"])
    assert 'the data of station "s-3"' in error.message


@pytest.mark.parametrize("files", [None, {"README.md": ""}])
def test_data_without_stations_is_refused(
    train: Path, tmp_path: Path, files: dict[str, str] | None
) -> None:
    data = plant(tmp_path / "data", files or {})
    refuse(MissingInput, "station-data-missing", train, data)


def test_a_station_can_be_visited_once_only(train: Path, data: Path) -> None:
    refuse(UsageError, "stations-unsuitable", train, data, route=["s-1", "s-2", "s-1"])


def test_a_folder_of_keys_that_is_not_there_is_refused(train: Path, data: Path) -> None:
    refuse(MissingInput, "keys-folder-missing", train, data, keys=data / "nowhere")


def test_a_folder_that_cannot_become_a_train_is_refused(
    train: Path, data: Path, output: Path
) -> None:
    (train / "link").symlink_to("train.py")
    refuse(MalformedTrain, "train-folder-unsuitable", train, data, output=output)
    assert not output.exists()


@pytest.mark.parametrize("option", ["output", "keep"])
def test_folders_that_are_in_use_are_refused(
    train: Path, data: Path, tmp_path: Path, option: str
) -> None:
    used = plant(tmp_path / "used", {"mine": "precious"})
    refuse(UsageError, "output-exists", train, data, **{option: used})
    refuse(UsageError, "path-inside-train", train, data, **{option: train / "new"})
    assert os.listdir(used) == ["mine"]


def test_visits_without_an_image_need_linux(
    train: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoint.author.simulate.sys", SimpleNamespace(platform="darwin"))
    refuse(SystemFailure, "linux-needed", train, data)

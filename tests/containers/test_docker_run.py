"""What Docker's own options do to a visit: as its users expect, or refused with a reason."""

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests import reference
from tests.containers.engine import Engine
from tests.containers.fixtures import on_each_libc
from tests.containers.visitor import (
    COUNTS,
    FIRST,
    SECOND,
    Container,
    arrived,
    assert_taken_back,
    assert_visited,
    shared,
    station_folder,
)
from tests.station import assert_explained, new_train, opened, settle, unpack

PEM = reference.vector_key(SECOND, private=True)
ID = ("--env", f"STATION_ID={SECOND}")
KEY = ("--env", f"RSA_STATION_PRIVATE_KEY={PEM.hex()}")
PLACES = [pytest.param([], id="PID 1"), pytest.param(["--init"], id="under an init")]

SIGNALS = (*range(34, 65, 10), *(10, 12, 14, 16, 18, 23, 24, 26, 27, 28, 29, 30), *(3, 1, 2, 15))
"""What a train may wait for: some that work in real time, most others, and those that stop it."""

TAKES_SIGNALS = """
import os, signal
arrived, tell = os.pipe()
os.set_blocking(tell, False)
signal.set_wakeup_fd(tell)
for number in {signals}:
    signal.signal(number, lambda *_: None)
print("ready", flush=True)
got = []
while 15 not in got:
    got += os.read(arrived, 1)
    print(*got, flush=True)
"""


@pytest.fixture(scope="module")
def opt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A train that has arrived at its second stop."""
    return arrived(tmp_path_factory.mktemp("arrived"), COUNTS)


@pytest.fixture(scope="module")
def image(engine: Engine, train_image: str, opt: Path) -> str:
    """The same as the image that a station pulls."""
    builder = Container(engine, engine.create(train_image))
    builder.put(opt)
    return engine.must("commit", builder.id).decode().strip()


@pytest.fixture(scope="module")
def owned_image(engine: Engine, runner_image: str, opt: Path) -> str:
    """The same, but /opt and the train belong to user 1000."""
    command = 'CMD ["python", "/opt/pht_train/train.py"]'
    own = 'COPY --chown=1000 opt /opt\nRUN ["chown", "1000", "/opt"]'
    files = {f"opt/{path}": file.content for path, file in reference.result_files(opt).items()}
    dockerfile = f"FROM {runner_image}\n{own}\n{command}\n"
    return engine.build("own", {"Dockerfile": dockerfile.encode(), **files})


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(PEM)
    return path


def container(engine: Engine, image: str, options: Sequence[str], *command: str) -> Container:
    return Container(engine, engine.create(image, *command, options=options))


def has_open(running: Container, path: str) -> bool:
    """Return whether a process of a container has a file open."""
    listed = running.engine.call("exec", running.id, "sh", "-c", "ls -l /proc/[0-9]*/fd")
    return f" -> {path}\n".encode() in listed.stdout


# --- what works ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "variable"),
    [
        ("/run/secrets/rsa_station_private_key", None),
        ("/keys/a.pem", "RSA_STATION_PRIVATE_KEY_FILE"),
        ("/keys/b.pem", "PRIVATE_KEY_PATH"),
    ],
    ids=["a secret", "a named file", "a file, named as elsewhere"],
)
def test_the_key_comes_from_a_file(
    target: str, variable: str | None, engine: Engine, image: str, pem: Path
) -> None:
    named = ["--env", f"{variable}={target}"] if variable else []
    options = [*ID, *named, "--volume", f"{pem}:{target}:ro"]

    assert_visited(container(engine, image, options).run())


def test_a_container_that_is_thrown_away_leaves_the_exported_train(
    engine: Engine, image: str, data: Path, tmp_path: Path
) -> None:
    options = [*ID, *KEY, *shared(data), "--env", "PHT_EXPORT=/opt/train_data/train.tar"]

    done = engine.run(image, options=options)

    assert done.status == 0, done.stderr.decode()
    (tmp_path / "exported").mkdir()
    assert opened(unpack(data / "train.tar", tmp_path / "exported")) == {"visits": b"2"}


@pytest.mark.parametrize(
    "mounts",
    [["--volume", "/opt"], ["--volume", "/opt", "--tmpfs", "/tmp", "--tmpfs", "/run"]],
    ids=["only /opt", "and temporary folders"],
)
def test_everything_but_the_train_may_be_read_only(
    mounts: list[str], engine: Engine, image: str, tmp_path: Path
) -> None:
    visitor = container(engine, image, [*ID, *KEY, "--read-only", *mounts])

    assert_visited(visitor.run())

    assert opened(visitor.take(tmp_path / "after")) == {"visits": b"2"}


def test_another_user_visits_a_train_that_is_its_own(
    engine: Engine, owned_image: str, tmp_path: Path
) -> None:
    visitor = container(engine, owned_image, [*ID, *KEY, "--user", "1000"])

    assert_visited(visitor.run())

    assert opened(visitor.take(tmp_path / "after")) == {"visits": b"2"}


@pytest.mark.parametrize(
    ("runner_image", "signals"),
    [("bookworm", SIGNALS), ("musl", SIGNALS[1:])],  # musl keeps 34 for itself
    indirect=["runner_image"],
    ids=["bookworm", "musl"],
)
@pytest.mark.parametrize("init", PLACES)
def test_every_signal_reaches_the_train(
    signals: tuple[int, ...], init: list[str], engine: Engine, train_image: str, tmp_path: Path
) -> None:
    opt = arrived(tmp_path, TAKES_SIGNALS.format(signals=signals))
    visitor = Container.create(engine, train_image, opt, [*ID, *KEY, *init])
    visitor.start()
    visitor.wait_until(lambda running: running.said(b"ready"))
    for position, number in enumerate(signals, start=1):
        engine.must("kill", "--signal", str(number), visitor.id)
        got = b"\n%s\n" % " ".join(map(str, signals[:position])).encode()
        if number != signals[-1]:
            visitor.wait_until(functools.partial(Container.said, text=got))

    done = visitor.ended()

    assert done.stdout.splitlines()[-1].split() == [str(number).encode() for number in signals]
    assert (done.status, done.facts["result"]) == (131, "stopped")


@pytest.mark.parametrize("init", PLACES)
def test_a_stop_while_the_train_is_verified_leaves_it_as_it_is(
    init: list[str], engine: Engine, train_image: str, tmp_path: Path
) -> None:
    opt = arrived(tmp_path, COUNTS, {"large": bytes(128 * 1024 * 1024)})
    slow = ["--cpus", "0.1"]
    visitor = Container.create(engine, train_image, opt, [*ID, *KEY, *slow, *init])
    visitor.start()
    visitor.wait_until(lambda running: has_open(running, "/opt/pht_train/large"))

    done = visitor.stop()

    assert (done.status, done.facts["result"], done.facts["stage"]) == (143, "stopped", "verify")
    assert done.facts["state"] == "unchanged"
    assert_taken_back(visitor, opt, tmp_path / "after")


@on_each_libc
@pytest.mark.parametrize("init", PLACES)
def test_a_stop_while_the_results_are_decrypted_takes_the_visit_back(
    init: list[str], engine: Engine, train_image: str, tmp_path: Path
) -> None:
    opt = new_train(tmp_path, COUNTS)
    (opt / "pht_results" / "large").write_bytes(bytes(96 * 1024 * 1024))
    reference.published_post_run(opt, FIRST, reference.vector_key(FIRST, private=True))
    slow = ["--cpus", "0.2"]
    visitor = Container.create(engine, train_image, opt, [*ID, *KEY, *slow, *init])
    visitor.start()
    visitor.wait_until(lambda running: running.phase() == "opening")

    done = visitor.stop()

    assert (done.status, done.facts["result"], done.facts["stage"]) == (143, "stopped", "decrypt")
    assert_taken_back(visitor, opt, tmp_path / "after")


@pytest.mark.parametrize("init", PLACES)
def test_a_stop_while_the_sealed_train_is_exported_lets_that_finish(
    init: list[str], engine: Engine, train_image: str, data: Path, tmp_path: Path
) -> None:
    opt = arrived(tmp_path, "import os\nos.truncate('/opt/pht_results/visits', 64 << 20)")
    slow = ["--cpus", "0.3", "--env", "PHT_EXPORT=/opt/train_data/train.tar"]
    visitor = Container.create(engine, train_image, opt, [*ID, *KEY, *shared(data), *slow, *init])
    visitor.start()
    visitor.wait_until(lambda running: running.phase() == "sealing")  # the place was tried before
    visitor.wait_until(lambda _: (data / "train.tar.part").exists())

    assert_visited(visitor.stop())

    (tmp_path / "exported").mkdir()
    exported = unpack(data / "train.tar", tmp_path / "exported")
    assert len(opened(exported)["visits"]) == 64 << 20


# --- what is refused -----------------------------------------------------------------------------


def refuse(visitor: Container, status: int, code: str) -> str:
    """Check that a visit is refused and the train left as it is; return what was said."""
    done = visitor.run()
    assert_explained(done, status, code)
    assert not [path for path in visitor.changes() if path.startswith("/opt/pht")]
    return done.stderr


REFUSED_SETTINGS: dict[str, tuple[list[str], int, str]] = {
    "no id": ([*KEY], 78, "station-id-missing"),
    "no key": ([*ID], 78, "private-key-missing"),
    "half a key": (
        [*ID, "--env", f"RSA_STATION_PRIVATE_KEY={PEM.hex()[:99]}"],
        78,
        "private-key-unusable",
    ),
    "two keys": ([*ID, *KEY, "--env", f"RSA_STATON_PRIVATE_KEY={PEM.hex()}"], 78, "setting-twice"),
    "a key file that is not there": (
        [*ID, "--env", "PRIVATE_KEY_PATH=/no"],
        78,
        "setting-unreadable",
    ),
    "another station's key": (["--env", "STATION_ID=station_1", *KEY], 78, "own-key-mismatch"),
    "a misspelt setting": ([*ID, *KEY, "--env", "PHT_TIMEOT=1"], 78, "setting-unknown"),
    "a planned setting": ([*ID, *KEY, "--env", "PHT_NETWORK=allow"], 78, "setting-not-built"),
    "a malformed setting": ([*ID, *KEY, "--env", "PHT_TIMEOUT=1h"], 78, "setting-malformed"),
    "two protocols": ([*ID, *KEY, "--env", "PHT_HOST_PROTOCOL=1"], 78, "host-driven-contradicted"),
    "nobody's protocol": (["--env", "PHT_HOST_PROTOCOL=1"], 77, "results-not-opened"),
    "not on the route": (["--env", "STATION_ID=elsewhere", *KEY], 76, "station-not-on-route"),
    "absent data": ([*ID, *KEY, "--env", "TRAIN_DATA_PATH=/opt/train_data"], 66, "data-missing"),
    "no folder to export to": (
        [*ID, *KEY, "--env", "PHT_EXPORT=/no/a.tar"],
        66,
        "output-folder-missing",
    ),
    "an export over something": (
        [*ID, *KEY, "--env", "PHT_EXPORT=/etc/passwd"],
        74,
        "output-exists",
    ),
    "an export into the train": (
        [*ID, *KEY, "--env", "PHT_EXPORT=/opt/pht_results/t"],
        78,
        "output-inside-train",
    ),
    "an export into the container": (
        [*ID, *KEY, "--env", "PHT_EXPORT=train.tar"],
        78,
        "output-in-container",
    ),
    "an export that every program would load": (
        [*ID, *KEY, "--env", "PHT_EXPORT=/etc/ld.so.preload"],
        78,
        "output-in-container",
    ),
    "an export to where the train lies": (
        [*ID, *KEY, "--volume", "/opt", "--env", "PHT_EXPORT=/opt/train.tar"],
        78,
        "output-in-container",
    ),
    "an export to memory": (
        [*ID, *KEY, "--tmpfs", "/out", "--env", "PHT_EXPORT=/out/train.tar"],
        78,
        "output-in-memory",
    ),
    "an export to proc": (
        [*ID, *KEY, "--env", "PHT_EXPORT=/proc/1/t"],
        78,
        "output-in-container",
    ),
    "a read-only container": ([*ID, *KEY, "--read-only"], 78, "place-unsuitable"),
    "another user": ([*ID, *KEY, "--user", "1000"], 78, "place-unsuitable"),
}


@pytest.mark.parametrize(
    ("options", "status", "code"), REFUSED_SETTINGS.values(), ids=REFUSED_SETTINGS
)
def test_options_that_make_no_visit_possible_are_refused(
    options: list[str], status: int, code: str, engine: Engine, image: str
) -> None:
    refuse(container(engine, image, options), status, code)


@pytest.mark.parametrize(
    ("command", "code"),
    [(["--flag"], "usage"), (["doctor"], "command-not-built"), (["run", "--"], "no-command")],
    ids=["an option", "a planned command", "nothing"],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    command: list[str], code: str, engine: Engine, image: str
) -> None:
    refuse(container(engine, image, [*ID, *KEY], *command), 64, code)


def test_a_second_visit_is_refused(engine: Engine, image: str) -> None:
    visitor = container(engine, image, [*ID, *KEY])
    assert_visited(visitor.run())

    assert_explained(visitor.run(), 79, "already-visited")


def change_code(opt: Path) -> None:
    (opt / "pht_train" / "train.py").write_text("print('something else')")


def add_module(opt: Path) -> None:
    (opt / "pht_train" / "numpy.py").touch()


def cut_config(opt: Path) -> None:
    (opt / "train_config.json").write_bytes((opt / "train_config.json").read_bytes()[:-9])


def exchange_results(opt: Path) -> None:
    (opt / "pht_results" / "visits").write_bytes(b"forged")


def link_results(opt: Path) -> None:
    (opt / "pht_results").rename(opt / "pht_train" / "elsewhere")
    (opt / "pht_results").symlink_to("pht_train/elsewhere")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (change_code, 77, "definition-changed"),
        (add_module, 65, "train-files-differ"),
        (cut_config, 65, "config-malformed"),
        (exchange_results, 77, "results-unverified"),
        (link_results, 77, "link-in-place"),
    ],
)
def test_a_train_that_is_not_as_signed_is_refused(
    change: Callable[[Path], None],
    status: int,
    code: str,
    engine: Engine,
    runner_image: str,
    tmp_path: Path,
) -> None:
    opt = arrived(tmp_path, COUNTS)
    change(opt)
    command = ["python", "/opt/pht_train/train.py"]
    refuse(Container.create(engine, runner_image, opt, [*ID, *KEY], *command), status, code)


# --- data ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "user", "of"),
    [(["--user", "1000"], "uid 1000", "owned_image"), (["--cap-drop", "ALL"], "uid 0", "image")],
    ids=["another user", "root without its rights"],
)
@pytest.mark.parametrize("place", ["the file", "the folder"])
def test_data_that_the_train_cannot_read_are_told_with_the_user_who_needs_them(
    options: list[str],
    user: str,
    of: str,
    place: str,
    engine: Engine,
    data: Path,
    request: pytest.FixtureRequest,
) -> None:
    rows = data / "rows.csv"
    rows.touch()
    os.chown(data, 4321, 4321)  # a research group's, which is neither of the two users
    (data if place == "the folder" else rows).chmod(0o700)
    os.chown(rows, 4321, 4321)
    path = "/opt/train_data" + ("/rows.csv" if place == "the file" else "")
    given = [*ID, *KEY, *options, *shared(data), "--env", f"TRAIN_DATA_PATH={path}"]

    said = refuse(container(engine, request.getfixturevalue(of), given), 66, "data-unreadable")

    assert f"cannot read TRAIN_DATA_PATH ({path}) [" in said
    assert f"give {user} access" in said


def test_a_file_in_the_data_that_the_train_cannot_read_is_warned_of(
    engine: Engine, image: str, data: Path
) -> None:
    (data / "rows.csv").touch(0o600)
    os.chown(data / "rows.csv", 4321, 4321)
    options = ["--cap-drop", "ALL", *shared(data), "--env", "TRAIN_DATA_PATH=/opt/train_data"]
    done = container(engine, image, [*ID, *KEY, *options]).run()
    assert_visited(done)
    warning = "pht: warning: the train runs as uid 0, gid 0, and cannot read "
    assert f"{warning}/opt/train_data/rows.csv" in done.stderr


# --- what an administrator finds at night --------------------------------------------------------


def test_a_key_that_another_user_owns_is_told_with_the_uid(
    engine: Engine, owned_image: str, tmp_path: Path
) -> None:
    settle(tmp_path, SECOND)
    folder = tmp_path / "run" / "pht"
    (folder / "private_key.pem").chmod(0o600)
    given = [*station_folder(tmp_path), "--user", "1000"]

    said = refuse(container(engine, owned_image, given), 78, "setting-unreadable")
    assert "the runner, started as uid 1000, gid 0, may not read /run/pht/priv" in said
    assert "give uid 1000 access" in said

    folder.chmod(0o700)
    said = refuse(container(engine, owned_image, given), 78, "setting-unreadable")
    assert "may not read /run/pht [" in said


def test_a_station_folder_that_was_mistyped_is_told(
    engine: Engine, image: str, tmp_path: Path
) -> None:
    mistyped = ["--volume", f"{tmp_path}/mistyped:/run/pht:ro"]
    said = refuse(container(engine, image, mistyped), 78, "station-id-missing")
    assert "/run/pht is empty or not there [" in said


@pytest.mark.parametrize(
    ("mount", "status", "code"),
    [
        (["--tmpfs", "/opt"], 66, "no-train"),
        (["--tmpfs", "/opt/pht_train"], 65, "train-files-differ"),
    ],
)
def test_a_mount_that_hides_the_train_is_told(
    mount: list[str], status: int, code: str, engine: Engine, image: str
) -> None:
    done = container(engine, image, [*ID, *KEY, *mount]).run()
    assert_explained(done, status, code)
    assert done.facts["by"] == "station"
    assert f"pht: hint: {mount[1]} is a mount" in done.stderr

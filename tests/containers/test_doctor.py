"""`pht doctor` in a container of the master image: a healthy station, and one fault at a time."""

from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.examined import (
    DATA,
    LAYERS,
    NOT_SET,
    WARNING,
    Fault,
    Rows,
    Station,
    add_lines,
    both,
    failed,
    give_to_user,
    more,
    no_landlock,
    open_key,
    without,
)
from tests.containers.fixtures import NO_LANDLOCK, gvisor, on_each_libc, or_skip
from tests.containers.images import HOME, PYTHON
from tests.containers.plain_options import ID, KEY, RECOMMENDED
from tests.containers.visitor import (
    SECOND,
    WAITS,
    Container,
    arrived,
    assert_visited,
    shared,
    station_folder,
)
from tests.station import settle

pytestmark = NO_LANDLOCK


@pytest.fixture
def station(engine: Engine, runner_image: str, tmp_path: Path) -> Station:
    """A healthy station."""
    return Station.healthy(engine, runner_image, tmp_path)


@on_each_libc
def test_a_healthy_station(station: Station) -> None:
    done = station.ask(options=station.options())
    assert (done.status, done.facts["layers"]) == (0, LAYERS)
    assert station.not_ok(station.options()) == {}


FAULTS = {
    "no key": Fault(
        change=lambda station: station.key.unlink(),
        rows={"private key": failed("private-key-missing")},
    ),
    "a password for a key without one": Fault(
        change=lambda station: station.key.with_suffix(".password").write_text("wrong"),
        rows={"private key": failed("private-key-unusable"), "uid": WARNING},
    ),
    "a key that everybody may read": Fault(
        change=open_key,
        rows={"private key": WARNING, "uid": WARNING},
    ),
    "a key that everybody may read, no Landlock": Fault(
        change=open_key,
        options=no_landlock,
        rows={
            "private key": WARNING,
            "uid": WARNING,
            "landlock": WARNING,
            "key-absent": failed("key-reachable"),
        },
    ),
    "an allowed key that everybody may read, no Landlock": Fault(
        change=both(open_key, add_lines("PHT_ALLOW_UNPROTECTED_KEY=1")),
        options=no_landlock,
        rows=dict.fromkeys(["private key", "uid", "landlock", "key-absent"], WARNING),
    ),
    "a key in two mounts": Fault(
        options=lambda options, folder: [*options, "--volume", f"{folder}/run:/backup:ro"],
        rows={"caps": WARNING, "key-absent": failed("key-reachable")},
    ),
    "a writable station folder": Fault(
        options=lambda options, _: [word.replace("/run/pht:ro", "/run/pht") for word in options],
        rows={"station folder": failed("station-folder-writable")},
    ),
    "a malformed station.env": Fault(
        change=add_lines("export PHT_LOG=json"),
        rows={"settings": failed("station-env-malformed")},
    ),
    "an unknown setting and a malformed one": Fault(
        change=add_lines("PHT_NONSENSE=1", "PHT_TIMEOUT=an hour"),
        rows={"settings": failed("setting-unknown")},
    ),
    "a setting that the image could have set": Fault(
        options=more("--env", "PHT_TRAIN_USER=0"),
        rows={"settings": failed("setting-not-trusted")},
    ),
    "a malformed trust file": Fault(
        change=lambda station: station.env.with_name("trust").write_text("user 4711"),
        rows={"trust": failed("trust-malformed")},
    ),
    "no trust file": Fault(
        change=lambda station: station.env.with_name("trust").unlink(), rows={"trust": NOT_SET}
    ),
    "malformed master images": Fault(
        change=lambda station: station.env.with_name("masters.json").write_text("{}"),
        rows={"master images": failed("masters-malformed")},
    ),
    "no master images": Fault(
        change=lambda station: station.env.with_name("masters.json").unlink(),
        rows={"master images": NOT_SET},
    ),
    "no ledger": Fault(
        options=lambda options, folder: without("--volume", f"{folder}/var/lib/pht:/var/lib/pht")(
            options, folder
        ),
        rows={"ledger": NOT_SET},
    ),
    "a ledger that everybody may use": Fault(
        change=lambda station: station.ledger.chmod(0o707),
        rows={"ledger": failed("ledger-unusable")},
    ),
    "a ledger that is mounted read-only": Fault(
        options=lambda options, _: [
            f"{word}:ro" if word.endswith(":/var/lib/pht") else word for word in options
        ],
        rows={"ledger": failed("ledger-unusable")},
    ),
    "a damaged ledger": Fault(
        change=lambda station: (station.ledger / f"{'0' * 128}.json").write_text("{}"),
        rows={"ledger": failed("ledger-damaged")},
    ),
    "an allowed replay": Fault(change=add_lines("PHT_REPLAY=allow"), rows={"ledger": WARNING}),
    "data that are not there": Fault(
        options=more("--env", "TRAIN_DATA_PATH=/nowhere"),
        rows={"data": failed("data-missing")},
    ),
    "no data": Fault(options=without("--env", f"TRAIN_DATA_PATH={DATA}"), rows={}),
    "data that only root may read": Fault(
        change=lambda station: station.data.chmod(0o600), rows={"caps": WARNING}
    ),
    "data that only root may read, no Landlock": Fault(
        change=lambda station: station.data.chmod(0o600),
        options=no_landlock,
        rows={"data": failed("data-unreadable"), "landlock": WARNING},
    ),
    "no Landlock": Fault(options=no_landlock, rows={"landlock": WARNING}),
    "no profile of the engine": Fault(
        options=more("--security-opt", "seccomp=unconfined"), rows={}
    ),
    "an init": Fault(options=more("--init"), rows={}),
    "a user who is not root": Fault(
        change=give_to_user,
        options=more("--user", "1000"),
        rows={"uid": WARNING},
    ),
    "a user who is not root, no Landlock": Fault(
        change=give_to_user,
        options=lambda options, folder: no_landlock([*options, "--user", "1000"], folder),
        rows={
            "uid": WARNING,
            "landlock": WARNING,
            "key-absent": failed("key-reachable"),
            "ledger": failed("ledger-reachable"),
        },
    ),
    "no right to become another user": Fault(
        options=without("--cap-add", "SETUID"), rows={"uid": WARNING}
    ),
    "a user that the runner cannot become": Fault(
        change=add_lines("PHT_TRAIN_USER=1000"),
        options=without("--cap-add", "SETUID"),
        rows={
            "data": failed("train-user-impossible"),
            "sandbox": failed("train-user-impossible"),
            **dict.fromkeys(LAYERS.split(","), NOT_SET),
        },
    ),
    "a train in memory": Fault(
        options=lambda options, _: [
            "--tmpfs" if after == "/opt" else word
            for word, after in zip(options, [*options[1:], ""], strict=True)
        ],
        rows={"disk": failed("place-unsuitable")},
    ),
    "a train on an emptyDir of a pod": Fault(
        options=lambda options, folder: [
            f"{folder}/volumes/kubernetes.io~empty-dir/train:/opt" if word == "/opt" else word
            for word in options
        ],
        rows={"disk": WARNING},
    ),
    "no place for a train": Fault(
        options=without("--volume", "/opt"), rows={"disk": failed("place-unsuitable")}
    ),
    "a /tmp where nothing can be executed": Fault(
        options=lambda options, _: ["/tmp" if word == "/tmp:exec" else word for word in options],
        rows={"temporary files": WARNING},
    ),
    "three faults": Fault(
        change=both(lambda station: station.key.unlink(), add_lines("PHT_NONSENSE=1")),
        options=without("--volume", "/opt"),
        rows={
            "private key": failed("private-key-missing"),
            "settings": failed("setting-unknown"),
            "disk": failed("place-unsuitable"),
        },
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_a_row_and_hides_no_other(name: str, station: Station) -> None:
    fault = FAULTS[name]
    fault.change(station)
    options = fault.options(station.options(), station.folder)
    assert station.not_ok(options) == fault.rows


def test_a_visit_in_the_same_container_goes_on(
    engine: Engine, train_image: str, data: Path, tmp_path: Path
) -> None:
    settle(tmp_path, SECOND)
    (data / "hold").touch()
    noexec = ["/tmp" if word == "/tmp:exec" else word for word in RECOMMENDED]
    mounts = [*station_folder(tmp_path), *shared(data)]
    container = Container.create(engine, train_image, arrived(tmp_path, WAITS), [*noexec, *mounts])
    container.start()
    container.wait_until(lambda running: running.said(b"aboard"))

    asked = engine.call("exec", container.id, *PYTHON, f"{HOME}/entrypoint/__main__.py", "doctor")

    assert b"[visit-in-progress]" in asked.stdout
    (data / "hold").unlink()
    assert_visited(container.ended())


def test_a_station_without_a_folder(station: Station) -> None:
    assert station.not_ok([*RECOMMENDED, *ID, *KEY]) == {
        "private key": WARNING,
        "station folder": NOT_SET,
        "trust": NOT_SET,
        "master images": NOT_SET,
        "ledger": NOT_SET,
        "data": NOT_SET,
        "landlock": NOT_SET,
    }


def test_nothing_at_all(station: Station) -> None:
    assert station.not_ok(RECOMMENDED) == {
        "private key": failed("private-key-missing"),
        "station folder": NOT_SET,
        "settings": failed("station-id-missing"),
        "trust": NOT_SET,
        "master images": NOT_SET,
        "ledger": NOT_SET,
        "data": NOT_SET,
        "landlock": NOT_SET,
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"landlock": WARNING}),
        (
            ["--init"],
            {
                "sandbox": failed("no-process-list"),
                **dict.fromkeys(LAYERS.split(","), NOT_SET),
            },
        ),
    ],
    ids=["alone", "with an init"],
)
def test_in_gvisor(options: list[str], expected: Rows, station: Station) -> None:
    sandbox = or_skip(lambda: gvisor(station.engine))
    assert station.not_ok([*station.options(), *sandbox, *options]) == expected

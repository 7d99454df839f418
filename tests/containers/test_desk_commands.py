"""Commands of an author work in a container too, unless they could harm a station."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import reference
from tests.containers.engine import Engine
from tests.containers.fixtures import NOT_PID_1, on_each_libc
from tests.containers.visitor import COUNTS, SECOND, station_folder
from tests.desk import plant
from tests.station import Done, assert_explained, settle

SIMULATE = ["simulate", "train", "--data", "data", "--output", "results"]
SIMULATE += ["--", "python", "/opt/pht_train/count.py"]
PROCESSES = [([], "bookworm"), (["--init"], "musl"), (["--pid", "host"], "bookworm")]
"""Options that decide which process of the container the program is, and a base of its image."""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a train and the data of two stations."""
    files = {"train/count.py": COUNTS, "data/a/rows": "1\n", "data/b/rows": "2\n"}
    return plant(tmp_path / "desk", files)


def at_desk(
    engine: Engine, image: str, desk: Path, *command: str, options: Sequence[str] = ()
) -> Done:
    """Run a command of the program in a container that has the desk as its working folder."""
    mounts = ["--volume", f"{desk}:/desk", "--workdir", "/desk"]
    status, stdout, stderr = vars(engine.run(image, *command, options=[*mounts, *options])).values()
    return Done(status, stdout, stderr.decode())


@NOT_PID_1
@pytest.mark.parametrize(("options", "runner_image"), PROCESSES, indirect=["runner_image"])
def test_a_route_is_simulated_in_a_container(
    options: list[str], engine: Engine, runner_image: str, desk: Path
) -> None:
    done = at_desk(engine, runner_image, desk, *SIMULATE, options=options)
    assert done.status == 0, done.stderr
    assert (desk / "results" / "visits").read_text() == "2"


@NOT_PID_1
def test_a_train_is_begun_and_simulated_in_containers(
    engine: Engine, runner_image: str, tmp_path: Path
) -> None:
    done = at_desk(engine, runner_image, tmp_path, "new", "first")
    assert done.status == 0, done.stderr
    done = at_desk(engine, runner_image, tmp_path / "first", "simulate", "--output", "results")
    assert done.status == 0, done.stderr
    assert "Sjögren,4," in (tmp_path / "first" / "results" / "ages.csv").read_text("utf-8")


@on_each_libc
def test_a_train_is_built_and_opened_in_containers(
    engine: Engine, runner_image: str, desk: Path
) -> None:
    create = "create train --output built --user-key user.private.pem --builder-key "
    create += "user.private.pem --user u --train-id t --station a=user.public.pem"
    for command in ("keygen user --no-password", create):
        done = at_desk(engine, runner_image, desk, *command.split())
        assert done.status == 0, done.stderr
    opens = "decrypt-results built --key user.private.pem --output opened"
    done = at_desk(engine, runner_image, desk, *opens.split())
    assert_explained(done, 76, "no-results-yet")


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [([], 64, "password-needed"), (["--password-file", "/dev/null"], 78, "password-unusable")],
    ids=["no password", "an empty one"],
)
def test_a_desk_without_a_terminal_is_told_how_to_give_a_password(
    more: list[str], status: int, code: str, engine: Engine, runner_image: str, desk: Path
) -> None:
    assert_explained(at_desk(engine, runner_image, desk, "keygen", "user", *more), status, code)


@pytest.mark.parametrize("shows", ["key", "secret", "station folder", "data", "train"])
def test_a_station_is_no_desk(
    shows: str,
    engine: Engine,
    runner_image: str,
    train_image: str,
    desk: Path,
    tmp_path: Path,
) -> None:
    settle(tmp_path, SECOND)
    key = tmp_path / "run/pht/private_key.pem"
    more = {
        "key": [
            "--env",
            f"RSA_STATION_PRIVATE_KEY={reference.vector_key(SECOND, private=True).hex()}",
        ],
        "secret": ["--volume", f"{key}:/run/secrets/rsa_station_private_key:ro"],
        "station folder": station_folder(tmp_path),
        "data": ["--volume", f"{desk}/data:/opt/train_data:ro"],
        "train": [],
    }
    image = train_image if shows == "train" else runner_image
    for command in (SIMULATE, ["keygen", "user", "--no-password"]):
        done = at_desk(engine, image, desk, *command, options=more[shows])
        assert_explained(done, 64, "not-in-a-container")
    assert sorted(path.name for path in desk.iterdir()) == ["data", "train"]

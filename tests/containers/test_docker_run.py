"""Visits with Docker's own options: key files, read-only containers, other users."""

from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import NO_LANDLOCK
from tests.containers.plain_options import ID, KEY, PEM, container
from tests.containers.visitor import (
    assert_visited,
    shared,
)
from tests.station import opened, unpack


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(PEM)
    return path


# --- what works ----------------------------------------------------------------------------------


@NO_LANDLOCK
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
    target: str, variable: str | None, engine: Engine, arrived_image: str, pem: Path
) -> None:
    named = ["--env", f"{variable}={target}"] if variable else []
    options = [*ID, *named, "--volume", f"{pem}:{target}:ro"]

    assert_visited(container(engine, arrived_image, options).run())


def test_a_container_that_is_thrown_away_leaves_the_exported_train(
    engine: Engine, arrived_image: str, data: Path, tmp_path: Path
) -> None:
    options = [*ID, *KEY, *shared(data), "--env", "PHT_EXPORT=/opt/train_data/train.tar"]

    done = engine.run(arrived_image, options=options)

    assert done.status == 0, done.stderr.decode()
    (tmp_path / "exported").mkdir()
    assert opened(unpack(data / "train.tar", tmp_path / "exported")) == {"visits": b"2"}


@pytest.mark.parametrize(
    "mounts",
    [["--volume", "/opt"], ["--volume", "/opt", "--tmpfs", "/tmp", "--tmpfs", "/run"]],
    ids=["only /opt", "and temporary folders"],
)
def test_everything_but_the_train_may_be_read_only(
    mounts: list[str], engine: Engine, arrived_image: str, tmp_path: Path
) -> None:
    visitor = container(engine, arrived_image, [*ID, *KEY, "--read-only", *mounts])

    assert_visited(visitor.run())

    assert opened(visitor.take(tmp_path / "after")) == {"visits": b"2"}


@NO_LANDLOCK
def test_another_user_visits_a_train_that_is_its_own(
    engine: Engine, owned_image: str, tmp_path: Path
) -> None:
    visitor = container(engine, owned_image, [*ID, *KEY, "--user", "1000"])

    assert_visited(visitor.run())

    assert opened(visitor.take(tmp_path / "after")) == {"visits": b"2"}

"""A volume at /opt that an earlier visit has used, under the image of another train."""

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests import reference
from tests.containers.engine import Engine
from tests.containers.visitor import (
    COUNTS,
    FIRST,
    RUNS_TRAIN,
    WAITS,
    Container,
    assert_visited,
    build_train,
    shared,
    station_folder,
)
from tests.station import Done, assert_explained, new_train, settle, snapshot

RUN = ("run", "--", *RUNS_TRAIN)
OF_A_SEALED_TRAIN = (RUN, ("check",), ("query",), ("export", "--output", "-"))
OF_AN_OPEN_TRAIN = (RUN, ("check",), ("query",))
HOST = ["--env", "PHT_HOST_PROTOCOL=1"]


@pytest.fixture
def volume(engine: Engine) -> Iterator[str]:
    """The name of a volume; an engine makes it for the first container."""
    name = f"pht-test-{uuid.uuid4().hex[:12]}"
    yield name
    engine.must("rm", "--force", *_containers(engine, name))
    engine.must("volume", "rm", name)


def _containers(engine: Engine, volume: str) -> list[str]:
    listed = engine.must("ps", "--all", "--quiet", "--filter", f"volume={volume}")
    return listed.decode().split()


@pytest.mark.parametrize(
    ("killed", "commands"),
    [(False, OF_A_SEALED_TRAIN), (True, OF_AN_OPEN_TRAIN)],
    ids=["after its visit", "killed while it ran"],
)
def test_the_train_that_the_volume_holds_is_not_taken_for_the_expected_one(
    killed: bool,
    commands: Sequence[Sequence[str]],
    engine: Engine,
    runner_image: str,
    volume: str,
    tmp_path: Path,
) -> None:
    opts = {name: new_train(tmp_path / name, WAITS) for name in ("earlier", "expected")}
    images = {
        name: build_train(engine, f"{name}-{volume}", runner_image, opt)
        for name, opt in opts.items()
    }
    sessions = {name: str(reference.load_config(opt)["session_id"]) for name, opt in opts.items()}
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o777)  # the train's user writes there that it has run
    settle(tmp_path, FIRST)
    options = ["--volume", f"{volume}:/opt"]
    station = [*options, *station_folder(tmp_path), *shared(data)]
    earlier = Container(engine, engine.create(images["earlier"], options=station))
    if killed:
        (data / "hold").touch()
        earlier.start()
        earlier.wait_until(lambda container: container.said(b"aboard"))
        earlier.kill()
        (data / "hold").unlink()
    else:
        assert_visited(earlier.run())
    held = snapshot(earlier.take(tmp_path / "held"))

    expect = ["--env", f"PHT_EXPECT_TRAIN={sessions['expected']}"]
    starts = [([*station, *expect], command) for command in commands]
    starts += [] if killed else [([*options, *expect, *HOST], RUN)]
    for given, command in starts:
        ended = engine.run(images["expected"], *command, options=given)
        done = Done(ended.status, ended.stdout, ended.stderr.decode())
        assert_explained(done, 76, "unexpected-train")
        assert sessions["earlier"] in done.stderr, command
        assert ended.stdout == b"", command
    assert snapshot(earlier.take(tmp_path / "left")) == held

    # The train that the volume holds goes on where it was.
    expect = ["--env", f"PHT_EXPECT_TRAIN={sessions['earlier']}"]
    again = Container(engine, engine.create(images["earlier"], options=[*station, *expect])).run()
    if killed:
        assert_visited(again)
    else:
        assert again.facts["code"] == "already-visited", again.stderr


def test_without_an_expected_train_a_reused_volume_tells_of_the_old_one(
    engine: Engine, runner_image: str, volume: str, tmp_path: Path
) -> None:
    """Why recipes set PHT_EXPECT_TRAIN: all of this looks as if the new train were there."""
    opts = {name: new_train(tmp_path / name, COUNTS) for name in ("earlier", "new")}
    settle(tmp_path, FIRST)
    options = ["--volume", f"{volume}:/opt", *station_folder(tmp_path)]
    done = {}
    for name, opt in opts.items():
        image = build_train(engine, f"{name}-{volume}", runner_image, opt)
        done[name] = Container(engine, engine.create(image, options=options)).run()
    assert_visited(done["earlier"])
    assert done["new"].facts["code"] == "already-visited"
    assert done["new"].facts["session"] == done["earlier"].facts["session"]

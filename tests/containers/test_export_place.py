"""Where in a container an export may lie, as far as an image could have chosen it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import NO_VOLUMES
from tests.containers.plain_options import RECOMMENDED
from tests.containers.visitor import COUNTS, Container, arrived, assert_visited, build_image
from tests.station import assert_explained, opened, unpack


@pytest.fixture
def named_volume(engine: Engine) -> Iterator[str]:
    name = f"pht-test-{engine.session}-exports"
    engine.must("volume", "create", "--label", engine.label, name)
    yield name
    engine.must("volume", "rm", "--force", name)


@NO_VOLUMES
@pytest.mark.parametrize("folder", ["/etc", "/exports"])
def test_a_volume_of_the_image_takes_no_export(
    folder: str, engine: Engine, runner_image: str, station: list[str], tmp_path: Path
) -> None:
    """In /etc the next start would obey it; elsewhere it is lost with the container."""
    more = f"VOLUME {folder}\nENV PHT_EXPORT={folder}/ld.so.preload\n"
    image = build_image(engine, runner_image, name=f"volume{folder[1:]}", more=more)
    visitor = Container.create(engine, image, arrived(tmp_path, COUNTS), [*station, *RECOMMENDED])

    done = visitor.run()

    assert_explained(done, 78, "output-in-container")
    assert done.facts["state"] == "unchanged"
    assert engine.call("cp", f"{visitor.id}:{folder}/ld.so.preload", "-").status != 0
    engine.must("rm", "--force", "--volumes", visitor.id)


def test_a_folder_of_the_system_takes_none_even_from_the_operator(
    engine: Engine, train_image: str, station: list[str], data: Path, tmp_path: Path
) -> None:
    """Some engines do not tell such a mount from one that the image asks for."""
    options = [*station, *RECOMMENDED, "--volume", f"{data}:/usr/local/etc"]
    options += ["--env", "PHT_EXPORT=/usr/local/etc/train.tar"]
    visitor = Container.create(engine, train_image, arrived(tmp_path, COUNTS), options)

    assert_explained(visitor.run(), 78, "output-in-container")
    assert list(data.iterdir()) == []


def test_a_named_volume_takes_one(
    engine: Engine, train_image: str, station: list[str], named_volume: str, tmp_path: Path
) -> None:
    options = [*station, *RECOMMENDED, "--volume", f"{named_volume}:/exports"]
    options += ["--env", "PHT_EXPORT=/exports/train.tar"]
    visitor = Container.create(engine, train_image, arrived(tmp_path, COUNTS), options)

    assert_visited(visitor.run())

    engine.must("cp", f"{visitor.id}:/exports/train.tar", str(tmp_path / "train.tar"))
    (tmp_path / "exported").mkdir()
    assert opened(unpack(tmp_path / "train.tar", tmp_path / "exported")) == {"visits": b"2"}
    engine.must("rm", "--force", "--volumes", visitor.id)

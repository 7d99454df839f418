"""Images that put a link in the place of a folder which the runner trusts, or writes to."""

from pathlib import Path

import pytest

from tests import reference
from tests.containers.engine import Engine
from tests.containers.visitor import (
    COUNTS,
    SECOND,
    Container,
    arrived,
    assert_visited,
    build_image,
    station_folder,
)
from tests.station import assert_explained, settle

LINKS = {
    "/run/pht": "ln -s /srv/pht /run/pht",
    "/run": "rm -r /run && ln -s /srv /run",
    "/run/secrets": "ln -s /srv/secrets /run/secrets",
    "/opt": "mv /opt /srv/opt && ln -s /srv/opt /opt",
    "/opt/train_data": "ln -s /run/pht /opt/train_data",
    "/var/lib/pht": "ln -s /srv/pht /var/lib/pht",
    "/var": "mkdir -p /var/lib/pht && mv /var /srv/var && ln -s /srv/var /var",
}


@pytest.fixture
def mounts(tmp_path: Path) -> list[str]:
    """The options that mount the station's folder and key elsewhere, as an operator may do too."""
    settle(tmp_path, SECOND)
    (tmp_path / "secrets").mkdir()
    key = reference.vector_key(SECOND, private=True)
    (tmp_path / "secrets" / "rsa_station_private_key").write_bytes(key)
    folders = {"pht": tmp_path / "run" / "pht", "secrets": tmp_path / "secrets"}
    return [f"--volume={folder}:/srv/{name}:ro" for name, folder in folders.items()]


@pytest.mark.parametrize("place", LINKS)
def test_a_link_in_the_place_of_a_trusted_folder_is_refused(
    place: str, engine: Engine, runner_image: str, mounts: list[str], tmp_path: Path
) -> None:
    more = f"RUN mkdir --parents /srv/pht /srv/secrets && {LINKS[place]}\n"
    image = build_image(engine, runner_image, name=f"link{[*LINKS].index(place)}", more=more)
    if place == "/opt":
        mounts = [f"--volume={tmp_path}/run/pht:/run/pht:ro"]
    elif place == "/opt/train_data":
        mounts = [f"--volume={tmp_path}/run/pht:/opt/train_data:ro"]
    elif place == "/run/secrets":
        mounts = [*mounts[1:], f"--env=STATION_ID={SECOND}"]
    opt = arrived(tmp_path, COUNTS)
    visitor = Container(engine, engine.create(image, options=mounts))
    visitor.put(opt)

    done = visitor.run()

    assert_explained(done, 77, "link-in-place")
    assert f"pht: error: {place} is a symbolic link" in done.stderr
    assert done.facts["state"] == "unchanged"


def test_a_link_that_leads_another_mount_over_the_station_folder_is_refused(
    engine: Engine, runner_image: str, tmp_path: Path
) -> None:
    image = build_image(engine, runner_image, name="link-data", more="RUN ln -s /run/pht /data\n")
    settle(tmp_path, SECOND)
    (tmp_path / "data").mkdir()
    mounts = [*station_folder(tmp_path), f"--volume={tmp_path}/data:/data:ro"]

    done = Container.create(engine, image, arrived(tmp_path, COUNTS), mounts).run()

    assert_explained(done, 78, "setting-twice")
    assert "pht: error: more than one folder is mounted at /run/pht" in done.stderr
    assert done.facts["state"] == "unchanged"


def test_links_within_a_mount_are_the_operators_own(
    engine: Engine, train_image: str, tmp_path: Path
) -> None:
    """A projected volume is full of them."""
    settle(tmp_path, SECOND)
    folder = tmp_path / "run" / "pht"
    version = folder / "..2024_01_01"
    version.mkdir()
    (folder / "..data").symlink_to(version.name)
    for name in ("private_key.pem", "station.env"):
        (folder / name).rename(version / name)
        (folder / name).symlink_to(f"..data/{name}")
    station = [f"--volume={folder}:/run/pht:ro"]
    assert_visited(Container.create(engine, train_image, arrived(tmp_path, COUNTS), station).run())

"""The user, groups and capabilities of a train in a container, and the data that it can read."""

import json
import os
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import NO_LANDLOCK, on_each_libc
from tests.containers.plain_options import RECOMMENDED
from tests.containers.profiles import without_landlock
from tests.containers.visitor import (
    COUNTS,
    SECOND,
    Container,
    arrived,
    assert_visit_refused,
    assert_visited,
    shared,
    station_folder,
)
from tests.station import Done, settle

READS = (
    COUNTS
    + """
import json, os
data = pathlib.Path("/opt/train_data/rows.csv")
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
named = os.access(data, os.R_OK)
facts = {name: status[name].split() for name in ("Uid", "Gid", "Groups", "CapEff", "CapBnd")}
print(json.dumps({**facts, "read": [data.read_text(), str(named)]}))
"""
)
"""A train that reads its data and tells who it is."""

EVERYBODY = (0o644, 0, 0)


class Visit:
    """A visit of READS to a station with data."""

    def __init__(self, engine: Engine, image: str, tmp_path: Path) -> None:
        self._engine = engine
        self._image = image
        self._folder = tmp_path
        self._data = tmp_path / "data"
        self._data.mkdir()
        self._rows = self._data / "rows.csv"
        self._rows.write_text("1")

    def container(self, *options: str, data: tuple[int, int, int], **settings: str) -> Container:
        """Return the container, where data have a mode, a user and a group."""
        settle(self._folder, SECOND, None, **settings)
        mode, uid, gid = data
        for path, its_mode in ((self._rows, mode), (self._data, mode | (mode & 0o444) >> 2)):
            path.chmod(its_mode)
            os.chown(path, uid, gid)
        named = ["--env", "TRAIN_DATA_PATH=/opt/train_data"]
        given = [*station_folder(self._folder), *shared(self._data), *named, *options]
        opt = arrived(self._folder / "train", READS)
        return Container.create(self._engine, self._image, opt, given)


@pytest.fixture
def visit(engine: Engine, train_image: str, tmp_path: Path) -> Visit:
    """A visit to a station with data."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to give data to other users")
    return Visit(engine, train_image, tmp_path)


def told(done: Done) -> dict[str, list[str]]:
    """Return the facts that the train has told, after a visit that succeeded."""
    assert_visited(done)
    facts: dict[str, list[str]] = json.loads(done.stdout)
    assert facts["read"] == ["1", "True"]
    return facts


def has(done: Done, layer: str) -> bool:
    return layer in done.facts["layers"].split(",")


@on_each_libc
@pytest.mark.parametrize("options", [[], RECOMMENDED], ids=["default", "recommended"])
def test_a_train_is_another_user_without_capabilities(options: list[str], visit: Visit) -> None:
    done = visit.container(*options, data=EVERYBODY).run()
    facts = told(done)
    assert (facts["Uid"], facts["Gid"], facts["Groups"]) == (["10001"] * 4, ["10001"] * 4, [])
    assert facts["CapEff"] == facts["CapBnd"] == ["0" * 16]
    assert has(done, "uid")
    assert has(done, "caps")


@NO_LANDLOCK
@pytest.mark.parametrize("options", [[], RECOMMENDED], ids=["default", "recommended"])
@pytest.mark.parametrize(
    "data", [(0o600, 0, 0), (0o640, 0, 2000), (0o600, 4321, 4321)], ids=["root", "group", "user"]
)
def test_data_of_others_is_read_by_one_capability(
    data: tuple[int, int, int], options: list[str], visit: Visit
) -> None:
    done = visit.container(*options, data=data).run()
    facts = told(done)
    assert facts["Uid"] == ["10001"] * 4
    assert facts["CapEff"] == facts["CapBnd"] == ["0" * 15 + "2"]
    assert has(done, "uid")
    assert has(done, "landlock")
    assert has(done, "seccomp")
    assert not has(done, "caps")


def test_data_of_a_group_that_the_operator_adds_needs_no_capability(visit: Visit) -> None:
    done = visit.container("--group-add", "2000", data=(0o640, 0, 2000)).run()
    facts = told(done)
    assert facts["Groups"] == ["2000"]
    assert has(done, "caps")


def test_data_of_the_user_whom_the_station_names_needs_no_capability(visit: Visit) -> None:
    done = visit.container(data=(0o600, 4321, 4321), PHT_TRAIN_USER="4321").run()
    facts = told(done)
    assert (facts["Uid"], facts["Gid"]) == (["4321"] * 4, ["4321"] * 4)
    assert has(done, "uid")
    assert has(done, "caps")


@NO_LANDLOCK
def test_root_without_capabilities_reads_its_own_data(visit: Visit) -> None:
    done = visit.container(data=(0o600, 0, 0), PHT_TRAIN_USER="0").run()
    facts = told(done)
    assert facts["Uid"] == ["0"] * 4
    assert facts["CapEff"] == ["0" * 16]
    assert not has(done, "uid")
    assert has(done, "caps")


def test_where_nothing_holds_the_capability_back_closed_data_is_refused(
    visit: Visit, tmp_path: Path
) -> None:
    options = without_landlock(tmp_path)
    closed = visit.container(*options, data=(0o600, 4321, 4321))
    said = assert_visit_refused(closed, 66, "data-unreadable")
    assert "setfacl -R -m u:10001:rX FOLDER" in said
    assert "PHT_TRAIN_USER=4321" in said


def test_a_user_that_the_runner_cannot_become_is_refused(visit: Visit) -> None:
    options = ["--cap-drop", "KILL"]
    refused = visit.container(*options, data=EVERYBODY, PHT_TRAIN_USER="4321")
    said = assert_visit_refused(refused, 78, "train-user-impossible")
    assert "the runner lacks KILL" in said

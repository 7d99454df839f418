"""The ledger in real containers: what counts as one, and that no train reaches it."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.attacks.visits import owned_by
from tests.containers.engine import Engine
from tests.containers.fixtures import NO_LANDLOCK, NO_VOLUMES, gvisor, or_skip
from tests.containers.plain_options import ID, KEY, RECOMMENDED
from tests.containers.profiles import without_landlock
from tests.containers.visitor import (
    COUNTS,
    Container,
    arrived,
    assert_visited,
    build_image,
)
from tests.ledger import entries, give_ledger
from tests.station import Done, assert_explained

USER = 1000
PLACE = "/var/lib/pht"

ATTEMPTS = """\
import hashlib, json, os, pathlib
ledger = pathlib.Path("/var/lib/pht")
config = json.loads(pathlib.Path("/opt/train_config.json").read_bytes())
session = bytes.fromhex(config.get("pht_visit", config)["session_id"])
entry = ledger / (hashlib.sha512(session).hexdigest() + ".json")
attempts = {
    "read": entry.read_bytes,
    "read lock": (ledger / "lock").read_bytes,
    "append": lambda: entry.open("ab").close(),
    "empty": lambda: os.truncate(entry, 0),
    "make": (ledger / "made").touch,
    "link": lambda: os.link(entry, ledger / "linked"),
    "rename": lambda: entry.rename(ledger / "linked"),
    "remove": (ledger / "lock").unlink,
    "mode": lambda: ledger.chmod(0o700),
}
def end_of(attempt):
    try:
        attempt()
    except PermissionError:
        return "denied"
    return "done"
print(json.dumps({name: end_of(attempt) for name, attempt in attempts.items()}))
"""
"""A train that tries to reach the entry under which it has boarded."""


@dataclass(frozen=True)
class Ledger:
    """A ledger in a folder of the host."""

    folder: Path

    def mounted(self, *more: str) -> list[str]:
        """Return the option that mounts it."""
        return ["--volume", ":".join([str(self.folder), PLACE, *more])]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(give_ledger(tmp_path))


def assert_checked(done: Done) -> None:
    assert_visited(done)
    assert done.facts["replay"] == "checked"


# --- what counts as a ledger ---------------------------------------------------------------------


def test_a_folder_of_the_host_is_one(
    engine: Engine, train_image: str, station: list[str], ledger: Ledger, tmp_path: Path
) -> None:
    opt, options = arrived(tmp_path, COUNTS), [*station, *RECOMMENDED, *ledger.mounted()]
    assert_checked(Container.create(engine, train_image, opt, options).run())
    [entry] = entries(ledger.folder)
    assert entry["stops"] == 1
    assert_checked(Container.create(engine, train_image, opt, options).run())
    other = Container.create(engine, train_image, arrived(tmp_path / "a", COUNTS), options)
    assert_checked(other.run())
    assert len(entries(ledger.folder)) == 2


@NO_VOLUMES
def test_a_volume_of_the_image_is_none(
    engine: Engine, runner_image: str, station: list[str], ledger: Ledger, tmp_path: Path
) -> None:
    more = f"RUN mkdir --mode 700 {PLACE}\nVOLUME {PLACE}\n"
    image = build_image(engine, runner_image, name="volume-ledger", more=more)
    opt, options = arrived(tmp_path, COUNTS), [*station, *RECOMMENDED]
    visitor = Container.create(engine, image, opt, options)
    done = visitor.run()
    assert_visited(done)
    assert done.facts["replay"] == "unchecked"
    engine.must("rm", "--force", "--volumes", visitor.id)
    visitor = Container.create(engine, image, opt, [*options, *ledger.mounted()])
    assert_checked(visitor.run())
    engine.must("rm", "--force", "--volumes", visitor.id)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tmpfs", f"{PLACE}:mode=700"], "is in memory"),
        (["--volume", "{ledger}:/var/lib/pht:ro"], "may not write"),
    ],
    ids=["in memory", "read-only"],
)
def test_a_mount_that_cannot_be_one_is_refused(
    options: list[str],
    said: str,
    engine: Engine,
    train_image: str,
    station: list[str],
    ledger: Ledger,
    tmp_path: Path,
) -> None:
    mounts = [option.format(ledger=ledger.folder) for option in options]
    opt = arrived(tmp_path, COUNTS)
    done = Container.create(engine, train_image, opt, [*station, *mounts]).run()
    assert_explained(done, 78, "ledger-unusable")
    assert said in done.stderr


def test_a_link_that_leads_another_mount_over_it_is_refused(
    engine: Engine, runner_image: str, station: list[str], ledger: Ledger, tmp_path: Path
) -> None:
    image = build_image(engine, runner_image, name="link-ledger", more=f"RUN ln -s {PLACE} /data\n")
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    options = [*station, *ledger.mounted(), f"--volume={data}:/data"]
    done = Container.create(engine, image, arrived(tmp_path, COUNTS), options).run()
    assert_explained(done, 78, "ledger-unusable")
    assert "more than one folder is mounted" in done.stderr
    assert not [*data.iterdir(), *ledger.folder.iterdir()]


# --- the train -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One set-up: options of the container, and whether the kernel seems to have Landlock."""

    name: str
    options: tuple[str, ...] = ()
    user: int = 0
    has_landlock: bool = True

    @property
    def shares_user(self) -> bool:
        """True if runner and train have one user."""
        return "--user" in self.options or "ALL" in self.options[-1:]

    def __str__(self) -> str:
        return self.name


CASES = [
    Case("recommended options", tuple(RECOMMENDED)),
    Case("--user 1000", ("--user", str(USER)), user=USER),
    Case("--cap-drop ALL", ("--cap-drop", "ALL")),
]


@dataclass(frozen=True)
class Hostile:
    """A train that tries to reach the ledger.

    Attributes:
        engine: where its containers run.
        image: with the train, as it has arrived at the second station.
        ledger: of the station.
        folder: for a profile.
    """

    engine: Engine
    image: str
    ledger: Ledger
    folder: Path

    def visit(self, case: Case) -> Done:
        """Make a visit, with the key in a variable."""
        os.chown(self.ledger.folder, case.user, case.user)
        options = [*case.options, *ID, *KEY, *self.ledger.mounted()]
        options += [] if case.has_landlock else without_landlock(self.folder)
        return Container(self.engine, self.engine.create(self.image, options=options)).run()


@pytest.fixture
def hostile(
    request: pytest.FixtureRequest,
    engine: Engine,
    train_image: str,
    ledger: Ledger,
    tmp_path: Path,
) -> Hostile:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give the ledger to the user of the container")
    user = getattr(request, "param", 0)
    image = owned_by(engine, train_image, arrived(tmp_path, ATTEMPTS), user)
    return Hostile(engine, image, ledger, tmp_path)


def assert_denied(done: Done, ledger: Ledger, *, but: tuple[str, ...] = ()) -> None:
    """Check that every attempt is denied, but some, and that the entry is as it was written."""
    assert_checked(done)
    ends = json.loads(done.stdout)
    assert [name for name, end in ends.items() if end != "denied"] == [*but]
    [entry] = entries(ledger.folder)
    assert entry["stops"] == 1


with_cases = pytest.mark.parametrize(
    ("case", "hostile"),
    [(case, case.user) for case in CASES],
    ids=map(str, CASES),
    indirect=["hostile"],
)


@NO_LANDLOCK
@with_cases
def test_the_train_neither_reads_nor_writes_it(case: Case, hostile: Hostile) -> None:
    done = hostile.visit(case)
    # Landlock does not cover modes: a train with the runner's user can have the ledger refused.
    assert_denied(done, hostile.ledger, but=("mode",) if case.shares_user else ())


def test_the_train_does_not_reach_it_in_gvisor(hostile: Hostile) -> None:
    options = or_skip(lambda: gvisor(hostile.engine))
    assert_denied(hostile.visit(Case("gVisor", tuple(options))), hostile.ledger)


def test_without_layers_every_attempt_succeeds(hostile: Hostile) -> None:
    assert_checked(hostile.visit(CASES[0]))
    options = ["--entrypoint", "python", *hostile.ledger.mounted()]
    ended = hostile.engine.run(hostile.image, "-c", ATTEMPTS, options=options)
    assert {*json.loads(ended.stdout).values()} == {"done"}


@NO_LANDLOCK
@with_cases
def test_a_visit_whose_train_could_reach_it_is_refused(case: Case, hostile: Hostile) -> None:
    done = hostile.visit(replace(case, has_landlock=False))
    if not case.shares_user:
        assert_denied(done, hostile.ledger)
        return
    assert_explained(done, 78, "ledger-reachable")
    assert f"as uid {case.user}" in done.stderr
    assert [*hostile.ledger.folder.iterdir()] == []


# --- the command ---------------------------------------------------------------------------------


def test_a_container_of_the_master_image_lists_and_forgets(
    engine: Engine,
    runner_image: str,
    train_image: str,
    station: list[str],
    ledger: Ledger,
    tmp_path: Path,
) -> None:
    opt, mounted = arrived(tmp_path, COUNTS), ledger.mounted()
    assert_checked(Container.create(engine, train_image, opt, [*station, *mounted]).run())
    listed = engine.run(runner_image, "ledger", "--json", options=mounted)
    [entry] = json.loads(listed.stdout)
    forgets = ("ledger", "--forget", entry["session"])
    refused = Container.create(engine, runner_image, opt, mounted, *forgets).run()
    assert_explained(refused, 64, "not-in-a-container")
    assert len(entries(ledger.folder)) == 1
    for known in (station, [*ID], [*KEY]):
        ended = engine.run(runner_image, *forgets, options=[*known, *mounted])
        assert ended.status == 64
        assert len(entries(ledger.folder)) == 1
    assert engine.run(runner_image, *forgets, options=mounted).status == 0
    assert entries(ledger.folder) == []
    assert engine.run(runner_image, "ledger").status == 66

"""`examples/compose`: its one service, made by docker-compose."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests import reference
from tests.containers.engine import Unavailable
from tests.containers.fixtures import or_skip
from tests.containers.inspected import RECORDS, made
from tests.containers.site import Arrive, Client, Site
from tests.containers.visitor import COUNTS, FIRST, SECOND, Container
from tests.docs.pages import ROOT, block_with, blocks
from tests.ledger import give_ledger
from tests.recipes.proxies import configure_proxies
from tests.recipes.trains import FAILS, PATIENCE_S, SEALS_LONG, STAYS, visit_by_script
from tests.station import Done, assert_explained, opened, settle, snapshot, wait_until

NAME, RUN, REMOVE = blocks("compose", pages=(ROOT / "docs" / "engines.md",))
IDS = block_with("base=$(docker image inspect")
WITHOUT_PROXIES = block_with("without_proxies() (")
HAND_OVER = block_with("--name next")

VISIT = IDS + NAME + WITHOUT_PROXIES + RUN
RESUME = IDS + NAME + "docker-compose start\n"
LEAVE = IDS + NAME + REMOVE


@dataclass(frozen=True)
class Project:
    """A station with a project of Compose for its visits.

    Attributes:
        site: with the repository of a train.
        folder: where the station folder, the data and the ledger are.
        programs: a folder with the command `pht`.
        name: of the project and its container.
    """

    site: Site
    folder: Path
    programs: Path
    name: str

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **configure_proxies(self.folder),
            "DOCKER_HOST": self.site.engine.address(),
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "REPOSITORY": self.site.repository,
            "COMPOSE_PROJECT_NAME": self.name,
            "STATION": str(self.folder / "run" / "pht"),
            "DATA": str(self.folder / "patients.csv"),
            "LEDGER": str(self.folder / "var" / "lib" / "pht"),
        }

    def begin(self, commands: str) -> "subprocess.Popen[bytes]":
        """Start lines of the page in the clone."""
        return subprocess.Popen(
            ["sh", "-euc", commands],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, commands: str) -> int:
        """Run lines of the page to their end, and return their exit status."""
        process = self.begin(commands)
        _, stderr = process.communicate(timeout=PATIENCE_S)
        print(stderr.decode())
        return process.returncode

    def visit(self) -> Done:
        """Make a visit as the page says, and return how its container has ended."""
        status = self.run(VISIT)
        done = self.container.ended()
        assert done.status == status
        return done

    @property
    def container(self) -> Container:
        return Container(self.site.engine, self.name)


MakeProject = Callable[[str], Project]


@pytest.fixture
def project(arrive: Arrive, pht_program: Path, tmp_path: Path) -> Iterator[MakeProject]:
    """A function that lets a train arrive at a station with a project of Compose."""
    if shutil.which("docker-compose") is None:
        or_skip(_no_compose)
    projects: list[Project] = []

    def make(script: str) -> Project:
        site, folder = arrive(script), tmp_path / str(len(projects))
        settle(folder, FIRST)
        give_ledger(folder)
        (folder / "patients.csv").write_text("1\n")
        name = f"pht-test-{site.engine.session}-{site.repository.rpartition('-')[2]}"
        projects.append(Project(site, folder, pht_program, name))
        return projects[-1]

    yield make
    for made_here in projects:
        made_here.run(LEAVE)


def _no_compose() -> None:
    raise Unavailable("no docker-compose on the PATH")


def test_its_container_is_that_of_the_script(
    project: MakeProject, client: Client, tmp_path: Path
) -> None:
    station = project(COUNTS)
    seen = tmp_path / "seen"
    ledger = station.folder / "var" / "lib" / "pht"
    options: list[str | Path] = ["-d", station.folder / "patients.csv", "-l", ledger]
    by_script = visit_by_script(
        station.site, *options, programs=client(RECORDS, seen=seen), more=["--", "--memory", "4g"]
    )
    assert by_script.status == 0, by_script.stderr
    expected = made(seen.read_bytes())
    again = project(COUNTS)

    done = again.visit()

    assert (done.status, done.facts["result"], done.facts["replay"]) == (0, "visited", "checked")
    assert done.facts["layers"] == "uid,caps,landlock,seccomp,key-absent"
    found = made(again.site.engine.must("container", "inspect", again.name))
    [own] = [line for line in found["config"]["Env"] if line.startswith("PHT_EXPECT_TRAIN=")]
    found["config"]["Env"].remove(own)
    assert found == expected


def test_it_is_handed_over_and_removed(project: MakeProject, tmp_path: Path) -> None:
    station = project(COUNTS)
    assert station.visit().status == 0
    lines = HAND_OVER.replace("' visit)", f"' {station.name})").replace(
        "next", f"{station.name}-next"
    )

    assert station.run(IDS + WITHOUT_PROXIES + lines) == 0
    assert station.run(f"docker rm {station.name}-next\n" + LEAVE) == 0

    assert station.site.engine.call("container", "inspect", station.name).status != 0
    assert visit_by_script(station.site, at=SECOND).status == 0
    opt = station.site.image("latest").take(tmp_path / "after")
    assert opened(opt) == {"visits": b"2"}
    assert reference.verify_chain(reference.load_config(opt)) == [FIRST, SECOND]


@pytest.mark.engines
def test_a_train_that_fails_is_put_back(project: MakeProject, tmp_path: Path) -> None:
    station = project(FAILS)
    before = snapshot(station.site.image("latest").take(tmp_path / "before"))

    done = station.visit()

    assert (done.status, done.facts["result"]) == (3, "train-failed"), done.stderr
    assert snapshot(station.container.take(tmp_path / "after")) == before


@pytest.mark.engines
def test_a_visit_that_is_stopped_is_taken_back(project: MakeProject, tmp_path: Path) -> None:
    station = project(STAYS)
    before = snapshot(station.site.image("latest").take(tmp_path / "before"))
    process = station.begin(VISIT)
    wait_for(station, lambda running: running.said(b"aboard"))

    station.run(IDS + NAME + "docker-compose stop")

    process.communicate(timeout=PATIENCE_S)
    done = station.container.ended()
    assert (done.status, done.facts["result"]) == (143, "stopped"), done.stderr
    assert snapshot(station.container.take(tmp_path / "after")) == before


@pytest.mark.parametrize(
    "resume", [RESUME, pytest.param(VISIT, marks=pytest.mark.engines)], ids=["start", "up"]
)
def test_a_visit_killed_while_sealing_is_finished(
    resume: str, project: MakeProject, tmp_path: Path
) -> None:
    station = project(SEALS_LONG)
    process = station.begin(VISIT)
    wait_for(station, lambda running: running.phase() == "sealing")
    assert station.container.kill().status == 137
    process.communicate(timeout=PATIENCE_S)

    assert station.run(resume) == 0

    done = station.container.ended()
    assert (done.status, done.stdout) == (0, b"aboard\n"), done.stderr
    assert opened(station.container.take(tmp_path / "after"))["visits"] == b"1"


def wait_for(project: Project, condition: Callable[[Container], bool]) -> None:
    """Wait for something to happen in the container, once there is one."""
    engine = project.site.engine
    inspect = ["container", "inspect", "--format", "{{.State.Running}}", project.name]
    wait_until(lambda: engine.call(*inspect).stdout == b"true\n", PATIENCE_S)
    project.container.wait_until(condition)


@pytest.mark.engines
def test_another_train_is_refused_on_the_volume_of_an_old_one(project: MakeProject) -> None:
    old = project(COUNTS)
    assert old.visit().status == 0
    new = replace(project(COUNTS), name=old.name)

    done = new.visit()

    assert done.facts["result"] == "refused", done.stderr
    assert_explained(done, 76, "unexpected-train")
    assert_explained(old.visit(), 79, "already-visited")
    assert new.run(LEAVE) == 0
    assert new.visit().status == 0

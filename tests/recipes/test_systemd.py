"""`examples/systemd`: the unit of a visit, under a systemd of the tests."""

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.containers.engine import engine_address
from tests.containers.fixtures import or_skip
from tests.containers.site import Arrive, Site
from tests.containers.visitor import COUNTS, FIRST, SECOND
from tests.docs.pages import ENGINES, ROOT, blocks
from tests.recipes.manager import Manager, analyzes, running_manager
from tests.recipes.trains import FAILS, IS_KILLED, PATIENCE_S, SEALS_LONG, STAYS
from tests.station import opened, settle, snapshot, wait_until

INSTALL, START = blocks("systemd", pages=(ENGINES,))
[OPTIONS] = re.findall('`(Environment="?OPTIONS=[^`]*)`', ENGINES.read_text())

DROP_IN = """\
[Service]
Environment={engine} STATION={folder}/run/pht DATA={folder}/data
{options}
RestartSec=100ms
StandardOutput=append:{folder}/stdout
StandardError=append:{folder}/stderr
"""


@pytest.fixture(scope="module")
def manager() -> Iterator[Manager]:
    """A systemd with the unit installed as the page says."""
    with ExitStack() as stack:
        started = or_skip(lambda: stack.enter_context(running_manager()))
        started.run(f"cd {shlex.quote(str(ROOT))}\n{INSTALL}")
        yield started


@dataclass(frozen=True)
class Visit:
    """The visit of a train, whose unit has a drop-in with the folders of the test."""

    manager: Manager
    site: Site

    @property
    def unit(self) -> str:
        [name] = re.findall(r'"\$\((.*)\)"', START)
        return self.manager.run(name, REPOSITORY=self.site.repository).strip()

    @property
    def data(self) -> Path:
        return self.site.folder / "data" / self.site.repository

    def start(self) -> None:
        """Start the unit as the page says."""
        self.manager.run(START, REPOSITORY=self.site.repository)

    def start_and_wait(self) -> None:
        """Start the unit, and return once its train runs."""
        self.start()
        wait_until(lambda: self.has_ended() or "aboard" in self.said("stdout"), PATIENCE_S)
        assert not self.has_ended(), self.said()

    def has_ended(self) -> bool:
        return self.manager.property(self.unit, "ActiveState") in ("inactive", "failed")

    def end(self) -> str:
        """Wait for the unit to end, and return in which state it is then."""
        wait_until(self.has_ended, PATIENCE_S)
        return self.manager.property(self.unit, "ActiveState")

    def facts(self) -> tuple[str, str]:
        """Return exit status and number of restarts."""
        names = ("ExecMainStatus", "NRestarts")
        status, restarts = (self.manager.property(self.unit, name) for name in names)
        return status, restarts

    def said(self, stream: str = "stderr") -> str:
        log = self.site.folder / stream
        return log.read_text() if log.exists() else ""


MakeVisit = Callable[[str], Visit]


@pytest.fixture
def visit(manager: Manager, arrive: Arrive, registry: str) -> MakeVisit:
    """A function that lets a train arrive in a registry, at a station with that systemd."""

    def make(script: str) -> Visit:
        site = arrive(script, registry=registry)
        site.push()
        settle(site.folder, FIRST)
        made = Visit(manager, site)
        made.data.mkdir(parents=True)
        (made.data / "patients.csv").write_text("1\n")
        engine = " ".join(f"{name}={value}" for name, value in engine_address().items())
        text = DROP_IN.format(engine=engine, folder=site.folder, options=OPTIONS)
        folder = f"/run/systemd/system/'{made.unit}.d'"
        manager.run(f'mkdir {folder}; echo "$TEXT" >{folder}/test.conf', TEXT=text)
        manager.run("systemctl daemon-reload")
        return made

    return make


def test_the_unit_is_right_and_has_little_to_lose(manager: Manager) -> None:
    analyze = shlex.quote(or_skip(analyzes))

    verified = manager.try_run(f"{analyze} verify pht-visit@a-b.service 2>&1")

    assert (verified.returncode, "pht-visit" in verified.stdout) == (0, False), verified.stdout
    manager.run(f"{analyze} security --offline=yes --threshold=30 pht-visit@a-b.service")


def test_a_visit_is_pushed_to_the_next_station(visit: MakeVisit, tmp_path: Path) -> None:
    visiting = visit(COUNTS)

    visiting.start()

    assert visiting.end() == "inactive", visiting.said()
    visiting.site.engine.must("pull", "--quiet", f"{visiting.site.repository}:latest")
    opt = visiting.site.image("latest").take(tmp_path / "after")
    assert opened(opt) == {"visits": b"1"}
    assert "trust=none" in visiting.said()
    assert visiting.site.visit("-d", visiting.data, at=SECOND).status == 0


@pytest.mark.engines
def test_a_train_that_fails_is_not_started_again(visit: MakeVisit) -> None:
    visiting = visit(FAILS)

    visiting.start()

    assert visiting.end() == "failed"
    assert visiting.facts() == ("3", "0")
    assert visiting.site.containers() == []


@pytest.mark.engines
def test_a_train_that_is_killed_each_time_is_not_started_for_ever(visit: MakeVisit) -> None:
    visiting = visit(IS_KILLED)

    visiting.start()

    assert visiting.end() == "failed"
    assert visiting.said().count("result=train-failed status=137") == 3


@pytest.mark.engines
def test_a_visit_that_is_stopped_is_taken_back(visit: MakeVisit, tmp_path: Path) -> None:
    visiting = visit(STAYS)
    site = visiting.site
    before = site.ids()
    visiting.start_and_wait()

    visiting.manager.run(f"systemctl stop '{visiting.unit}'")

    assert visiting.facts() == ("143", "0")
    assert "result=stopped status=143" in visiting.said()
    assert site.ids() == before
    # The script waits for no answer after a signal, so it keeps the container.
    kept = snapshot(site.visiting().take(tmp_path / "after"))
    assert kept == snapshot(site.image("latest").take(tmp_path / "before"))


def test_the_container_has_the_options_of_the_unit(visit: MakeVisit) -> None:
    visiting = visit(STAYS)
    site = visiting.site
    visiting.start_and_wait()

    limit = site.engine.must("inspect", "--format", "{{.HostConfig.Memory}}", site.visiting().id)

    visiting.manager.run(f"systemctl stop '{visiting.unit}'")
    assert int(limit) == 4 * 2**30


@pytest.mark.engines
@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_visit_interrupted_while_sealing_is_finished_by_itself(
    how: str, visit: MakeVisit, tmp_path: Path
) -> None:
    visiting = visit(SEALS_LONG)
    visiting.start()
    wait_until(lambda: "step 6: the train has ended" in visiting.said(), PATIENCE_S)

    visiting.site.engine.must(how, visiting.site.visiting().id)

    assert visiting.end() == "inactive", visiting.said()
    assert visiting.facts()[0] == "0"
    assert "sealing goes on where it was interrupted" in visiting.said()
    assert (visiting.site.folder / "stdout").read_text().count("aboard") == 1
    opt = visiting.site.image("latest").take(tmp_path / "after")
    assert opened(opt)["visits"] == b"1"

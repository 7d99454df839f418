"""`examples/station/visit.sh`, and visits by hand, with podman in the place of Docker."""

import itertools
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.images import masters_of
from tests.containers.other_engines import OtherEngines
from tests.containers.podman import configure, docker_on_socket, own_docker
from tests.containers.site import RENAMES, Site, begin_and_end
from tests.containers.visitor import FIRST, Container
from tests.docs.pages import block_with
from tests.station import new_train, opened, settle

PROXY = "http://user:password-of-the-proxy@proxy:3128"

TELLS = "import os; print(dict(os.environ))\n" + RENAMES

BY_HAND = ("base=$(docker image inspect", "at_station() {", "docker wait visit", "docker commit")
"""A line of each block of the page, from the visit to the image that leaves."""

SAID = re.compile("(pht|visit.sh|image|master|verdict): |time=.* level=warning |$")
"""Lines of the script, of the program, and podman's warnings about the machine."""

_NUMBERS = itertools.count()

pytestmark = pytest.mark.parametrize("runner_image", ["musl"], indirect=True)

ArriveAtPodman = Callable[..., Site]


@pytest.fixture(params=["podman's own docker", "docker on podman's socket"])
def podman(
    request: pytest.FixtureRequest,
    others: OtherEngines,
    pht_program: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Engine]:
    """Podman behind a program `docker` of the folder `pht_program`, on a host with proxies."""
    configure(tmp_path, monkeypatch)
    monkeypatch.setenv("http_proxy", PROXY)
    with ExitStack() as stack:
        if request.param == "podman's own docker":
            yield own_docker(others, pht_program)
        else:
            behind = docker_on_socket(others, pht_program)
            yield or_skip(lambda: stack.enter_context(behind))


@pytest.fixture
def arrive_at_podman(
    podman: Engine, others: OtherEngines, engine: Engine, train_image: str, tmp_path: Path
) -> ArriveAtPodman:
    """A function that lets a new train arrive in a repository of podman."""
    image = others.take_over(engine, train_image)

    def build(script: str = RENAMES, registry: str = "") -> Site:
        number = next(_NUMBERS)
        container = Container(podman, podman.create(image, options=["--env", "http_proxy="]))
        container.put(new_train(tmp_path / f"author-{number}", script))
        site = Site(podman, f"{registry}pht-test-{podman.session}/podman-{number}", tmp_path)
        site.build(container)
        podman.must("rm", container.id)
        return site

    return build


def test_a_train_is_looked_at_handed_over_and_pushed(
    arrive_at_podman: ArriveAtPodman, registry: str, pht_program: Path, tmp_path: Path
) -> None:
    site = arrive_at_podman(TELLS, registry)
    images = site.push()
    site.engine.must("rmi", "--force", *images)
    review = tmp_path / "review"

    looked = site.visit("-p", "-r", review, programs=pht_program)
    done = site.visit("-p", programs=pht_program)

    assert (looked.status, (review / "1").read_text()) == (0, "left here"), looked.stderr
    assert done.status == 0, done.stderr
    assert done.stderr.splitlines()[-1] == f"visit.sh: handed over as {site.repository}:latest"
    assert PROXY not in looked.stdout.decode()
    site.engine.must("rmi", "--force", *images)
    site.engine.must("pull", "--quiet", images[1])
    assert PROXY not in site.engine.must("image", "inspect", images[1]).decode()
    site.assert_handed_over(tmp_path / "after", FIRST)


@pytest.mark.engines
def test_an_interrupted_visit_goes_on_and_says_no_more_than_with_docker(
    arrive_at_podman: ArriveAtPodman,
    engine: Engine,
    runner_image: str,
    pht_program: Path,
    data: Path,
    tmp_path: Path,
) -> None:
    site = arrive_at_podman()
    settle(tmp_path, FIRST)
    (tmp_path / "run" / "pht" / "masters.json").write_bytes(masters_of(engine, runner_image))
    begin_and_end(site, data, signal.SIGKILL, programs=pht_program)
    site.visiting().kill()
    (data / ".hold").unlink()

    done = site.visit("-d", data, programs=pht_program)

    assert done.status == 0, done.stderr
    assert b"aboard\n" in done.stdout
    assert [line for line in done.stderr.splitlines() if not SAID.match(line)] == []
    site.assert_handed_over(tmp_path / "after", FIRST)
    done = site.visit("-d", data, programs=pht_program)
    assert (done.status, done.stdout) == (0, b""), done.stderr
    assert done.stderr.count("verdict: accepted") == 2
    assert done.stderr.splitlines()[-1].startswith("visit.sh: nothing to do: ")


@pytest.mark.engines
def test_a_visit_that_fails_leaves_nothing(
    arrive_at_podman: ArriveAtPodman, pht_program: Path
) -> None:
    site = arrive_at_podman("raise SystemExit(3)")
    before = site.ids()

    done = site.visit(programs=pht_program)

    assert (done.status, site.ids()) == (3, before), done.stderr
    assert "visit.sh: no visit was made; nothing of it is kept" in done.stderr
    assert site.containers() == []


def test_a_visit_by_hand_hands_over_the_train_without_proxies(
    arrive_at_podman: ArriveAtPodman, podman: Engine, pht_program: Path, tmp_path: Path
) -> None:
    site = arrive_at_podman(TELLS)
    settle(tmp_path, FIRST)
    (tmp_path / "ledger").mkdir(mode=0o700)
    (tmp_path / "rows.csv").write_text("")
    given = {
        "PATH": f"{pht_program}:{os.environ['PATH']}",
        "REPOSITORY": site.repository,
        "STATION": str(tmp_path / "run" / "pht"),
        "LEDGER": str(tmp_path / "ledger"),
        "DATA": str(tmp_path / "rows.csv"),
    }
    commands = "".join(block_with(command) for command in BY_HAND)

    done = subprocess.run(
        ["sh", "-euc", commands], env={**os.environ, **given}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert "pht: result=visited status=0 " in done.stdout
    assert " replay=checked layers=uid,caps,landlock,seccomp,key-absent " in done.stdout
    assert PROXY not in done.stdout
    image = f"{site.repository}:latest"
    assert PROXY.encode() not in podman.must("save", image)
    assert opened(site.image("latest").take(tmp_path / "after")) == {"1": b"left here"}
    podman.must("rm", "--volumes", "visit", "next")

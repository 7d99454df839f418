"""`examples/station/visit.sh`: only a master image with a train in it comes near the key."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference
from tests.containers.bases import make_base
from tests.containers.engine import Engine
from tests.containers.fixtures import NOT_PID_1
from tests.containers.images import START, masters_of
from tests.containers.site import Arrive, Client, Site, begin_and_end
from tests.containers.visitor import FIRST, RUNS_TRAIN
from tests.reference import STATIONS
from tests.station import Done, finish

pytestmark = pytest.mark.parametrize("runner_image", ["musl"], indirect=True)

STEALS = (
    f"""ENTRYPOINT ["sh", "-c", "{" ".join(START)} $*; cp /run/pht/*.pem /opt/pht_train", "-"]""",
    f"CMD {json.dumps(RUNS_TRAIN)}",
)
"""Makes an honest visit, and then takes the station's key on board."""

MOVES = """\
#!/bin/sh
"{docker}" "$@" || exit
case $1 in save) "{docker}" tag {image} {tag} ;; esac
"""
"""A client that moves a tag when an image has been read."""


@pytest.fixture(scope="module")
def masters(engine: Engine, runner_image: str) -> bytes:
    """A `masters.json` with the master image of the trains."""
    return masters_of(engine, runner_image)


@pytest.fixture
def careful(arrive: Arrive, masters: bytes) -> Arrive:
    """Like `arrive`, at stations with this `masters.json`."""

    def build(*arguments: str) -> Site:
        site = arrive(*arguments)
        know(site, masters)
        return site

    return build


def know(site: Site, masters: bytes) -> None:
    """Put a `masters.json` into the station folder."""
    folder = site.folder / "run" / "pht"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "masters.json").write_bytes(masters)


def rebuild(site: Site, tag: str, *lines: str) -> None:
    """Build an image anew, from itself and more lines of a Dockerfile."""
    image = f"{site.repository}:{tag}"
    dockerfile = "\n".join([f"FROM {image}", *lines, ""])
    name = f"{site.repository.rpartition('/')[2]}-{tag}"
    built = site.engine.build(name, {"Dockerfile": dockerfile.encode()})
    site.engine.must("tag", built, image)


def assert_nothing_started(site: Site, done: Done, status: int) -> None:
    """Check that the script has refused an image before it has made a container."""
    assert (done.status, done.stdout) == (status, b""), done.stderr
    assert "is not accepted; nothing of it was started" in done.stderr
    assert site.containers() == []


def test_what_a_station_hands_over_is_accepted_by_the_next(
    careful: Arrive, pht_program: Path, tmp_path: Path
) -> None:
    site = careful()

    for number, station in enumerate(STATIONS[:2], start=1):
        done = site.visit(at=station, programs=pht_program)

        assert (done.status, done.stdout) == (0, b"aboard\n"), done.stderr
        assert done.stderr.count("verdict: accepted") == 2, done.stderr
        site.assert_handed_over(tmp_path / station, *STATIONS[:number])


@NOT_PID_1
def test_a_replaced_entrypoint_gets_the_key_only_where_nothing_is_validated(
    arrive: Arrive, masters: bytes, pht_program: Path, tmp_path: Path
) -> None:
    site = arrive()
    rebuild(site, "latest", *STEALS)
    arrived = site.ids()

    done = site.visit()

    key = reference.vector_key(FIRST, private=True)
    assert done.status == 0, done.stderr
    taken = site.image("latest").take(tmp_path / "taken")
    assert (taken / "pht_train" / "private_key.pem").read_bytes() == key, "this steals nothing"
    site.engine.must("tag", arrived[1], f"{site.repository}:latest")
    know(site, masters)
    assert_nothing_started(site, site.visit(programs=pht_program), 77)
    assert site.ids() == arrived


@pytest.mark.parametrize("tag", ["base", "latest"])
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("RUN touch /etc/ld.so.preload", "path-outside"),
        ("ENV LD_PRELOAD=/opt/pht_train/planted.so", "env-refused"),
    ],
    ids=["a file", "a variable"],
)
def test_an_image_with_more_than_a_train_is_not_started(
    line: str, code: str, tag: str, careful: Arrive, pht_program: Path
) -> None:
    site = careful()
    rebuild(site, tag, line)
    before = site.ids()

    done = site.visit(programs=pht_program)

    assert_nothing_started(site, done, 77)
    assert re.search(f"^refused +{code} ", done.stderr, re.MULTILINE), done.stderr
    assert site.ids() == before


def test_a_train_does_not_leave_on_another_master_image(
    careful: Arrive, engine: Engine, pht_program: Path
) -> None:
    site = careful()
    engine.must("tag", make_base(engine, "musl"), f"{site.repository}:base")

    done = site.visit(programs=pht_program)

    assert_nothing_started(site, done, 77)
    assert "verdict: accepted" in done.stderr, "the image that has arrived is a train"
    assert "refused  master-unknown " in done.stderr


def test_a_tag_that_moves_after_the_validation_changes_nothing(
    careful: Arrive, client: Client, pht_program: Path, tmp_path: Path
) -> None:
    site = careful()
    old = site.ids()
    rebuild(site, "latest", *STEALS)
    [_, hostile] = site.ids()
    latest = f"{site.repository}:latest"
    site.engine.must("tag", old[1], latest)
    programs = client(MOVES, image=hostile, tag=latest)
    (programs / "pht").symlink_to(pht_program / "pht")

    done = site.visit(programs=programs)

    assert (done.status, "visits another train" in done.stderr) == (1, True), done.stderr
    [visited] = site.containers()
    form = ["--format", "{{.Image}}", visited.id]
    assert site.engine.must("inspect", *form).decode().strip() == old[1]
    site.engine.must("tag", old[1], latest)
    assert site.visit(programs=pht_program).status == 0
    site.assert_handed_over(tmp_path / "after", FIRST)
    assert not (tmp_path / "after" / "opt" / "pht_train" / "private_key.pem").exists()


def test_without_a_list_of_masters_a_line_says_how_to_make_one(
    arrive: Arrive, runner_image: str, pht_program: Path, tmp_path: Path
) -> None:
    site = arrive()
    done = site.visit()
    assert done.status == 0, done.stderr
    [line] = re.findall("docker save MASTER .*", done.stderr)
    path = f"{pht_program}:{os.environ['PATH']}"
    command = line.replace("MASTER", runner_image)

    subprocess.run(["sh", "-euc", command], check=True, env={**os.environ, "PATH": path})

    done = site.visit(at=STATIONS[1], programs=pht_program)
    assert (done.status, "verdict: accepted" in done.stderr) == (0, True), done.stderr


@pytest.mark.parametrize(("line", "status"), [("", 0), (STEALS[0], 77)], ids=["accepted", "not"])
def test_the_program_of_a_master_image_validates_too(
    line: str, status: int, careful: Arrive, runner_image: str, pht_program: Path
) -> None:
    site = careful()
    rebuild(site, "latest", line)
    (pht_program / "pht").write_text("#!/bin/sh\nexit 99\n")

    done = site.visit("-m", runner_image, programs=pht_program)

    assert done.status == status, done.stderr
    assert ("verdict: accepted" in done.stderr) == (status == 0)
    assert site.containers() == []


@pytest.mark.parametrize(
    ("break_it", "code"),
    [
        (lambda path: path.write_bytes(b"{}"), "masters-malformed"),
        (lambda path: path.symlink_to("absent"), "masters-unreadable"),
    ],
)
def test_an_unusable_list_of_masters_is_not_passed_over(
    break_it: Callable[[Path], object], code: str, careful: Arrive, pht_program: Path
) -> None:
    site = careful()
    path = site.folder / "run" / "pht" / "masters.json"
    path.unlink()
    break_it(path)

    done = site.visit(programs=pht_program)

    assert_nothing_started(site, done, 78)
    assert f"[{code}]" in done.stderr


def test_an_interrupted_visit_of_a_validated_image_goes_on(
    careful: Arrive, data: Path, pht_program: Path, tmp_path: Path
) -> None:
    site = careful()
    (data / ".hold").touch()
    process = site.begin("-d", data, programs=pht_program)
    assert process.stdout is not None
    assert process.stdout.readline() == b"aboard\n"
    os.killpg(process.pid, signal.SIGINT)
    finish(process)
    (data / ".hold").unlink()
    know(site, b"{}")

    done = site.visit("-d", data, programs=pht_program)

    assert (done.status, "verdict" in done.stderr) == (0, False), done.stderr
    site.assert_handed_over(tmp_path / "after", FIRST)


def test_a_visit_that_began_without_a_list_of_masters_is_compared_with_a_new_one(
    arrive: Arrive, data: Path, masters: bytes, pht_program: Path, tmp_path: Path
) -> None:
    site = arrive()
    begin_and_end(site, data, signal.SIGINT)
    (data / ".hold").unlink()
    know(site, b"{}")

    done = site.visit("-d", data, programs=pht_program)

    assert (done.status, "masters-malformed" in done.stderr) == (78, True)
    assert len(site.containers()) == 1, "it cannot go on"
    know(site, masters)
    assert site.visit("-d", data, programs=pht_program).status == 0
    site.assert_handed_over(tmp_path / "after", FIRST)

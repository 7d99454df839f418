"""`examples/station/visit.sh`: a station's procedure from the pull to the push."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import reference
from tests.containers.engine import Engine
from tests.containers.fixtures import NO_LANDLOCK
from tests.containers.site import RENAMES, SCRIPT, Arrive
from tests.containers.visitor import FIRST
from tests.reference import STATIONS
from tests.station import finish, new_route_train, new_train, settle

PROXY_PASSWORD = "password-of-the-proxy"


def test_the_script_has_no_flaw_that_a_checker_finds() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck on the PATH")
    done = subprocess.run(["shellcheck", "--shell=sh", SCRIPT], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("author", [new_train, new_route_train], ids=["flat", "route"])
def test_a_train_is_looked_at_and_handed_from_station_to_station(
    author: Callable[[Path, str], Path], arrive: Arrive, pht_program: Path, tmp_path: Path
) -> None:
    site = arrive(author=author)
    for number, station in enumerate(STATIONS, start=1):
        review = tmp_path / f"review-{number}"
        before = site.image("latest").take(tmp_path / f"before-{number}")

        done = finish(site.begin("-r", review, at=station, programs=pht_program))

        assert (done.status, done.stdout[:7]) == (0, b"aboard\n"), done.stderr
        assert "pht: result=visited status=0 " in done.stderr
        assert (review / str(number)).read_text() == "left here"
        now = site.image("latest").take(tmp_path / f"now-{number}")
        assert reference.load_config(now) == reference.load_config(before)
        done = site.visit(at=station)
        assert (done.status, done.stdout) == (0, b""), "the train has run a second time"
        site.assert_handed_over(tmp_path / str(number), *STATIONS[:number])


def test_a_visit_that_was_handed_over_is_left_as_it_is(arrive: Arrive, tmp_path: Path) -> None:
    site = arrive()
    assert site.visit().status == 0
    before = site.ids()

    done = site.visit()

    assert (done.status, done.stdout) == (0, b""), done.stderr
    assert "code=already-visited" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("visit.sh: nothing to do: ")
    assert site.ids() == before
    site.assert_handed_over(tmp_path / "after", FIRST)


@NO_LANDLOCK
def test_a_train_keeps_its_owners_from_station_to_station(
    arrive: Arrive, engine: Engine, tmp_path: Path
) -> None:
    site = arrive()
    dockerfile = f'FROM {site.repository}:base\nRUN ["chown", "-R", "4321", "/opt"]\n'
    owned = engine.build("owned", {"Dockerfile": dockerfile.encode()})
    for tag in ("base", "latest"):
        engine.must("tag", owned, f"{site.repository}:{tag}")

    for station in STATIONS[:2]:
        done = site.visit(at=station, more=["--", "--user", "4321"])
        assert (done.status, done.stdout) == (0, b"aboard\n"), done.stderr

    site.assert_handed_over(tmp_path / "after", *STATIONS[:2])


def test_no_train_gets_the_proxies_of_the_client(
    arrive: Arrive, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = arrive("import os; print(dict(os.environ))\n" + RENAMES)
    host = engine.address()
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", os.path.relpath(tmp_path / "client"))
    engine.must("context", "create", "ward", "--docker", f"host={host}")
    proxies = {"default": {"httpProxy": f"http://user:{PROXY_PASSWORD}@proxy:3128"}}
    config = {"currentContext": "ward", "proxies": proxies}
    (tmp_path / "client" / "config.json").write_text(json.dumps(config))

    done = site.visit()

    assert done.status == 0, done.stderr
    assert PROXY_PASSWORD not in done.stdout.decode()
    image = f"{site.repository}:latest"
    assert PROXY_PASSWORD not in engine.must("image", "inspect", image).decode()
    careless = engine.must("inspect", engine.create(image)).decode()
    assert PROXY_PASSWORD in careless, "this client writes nothing"


def test_the_data_are_seen_where_trains_expect_them(arrive: Arrive, data: Path) -> None:
    (data / "rows.csv").write_text("of this station")
    reads = "import os; print(os.environ['TRAIN_DATA_PATH'], os.listdir('/opt/train_data'))\n"

    for given in (data, data / "rows.csv"):
        done = arrive(reads + RENAMES).visit("-d", given)

        assert done.status == 0, done.stderr
        assert done.stdout.startswith(b"/opt/train_data/rows.csv ['rows.csv']")


def test_a_station_without_the_key_file_of_the_user_is_no_obstacle(
    arrive: Arrive, pht_program: Path, tmp_path: Path
) -> None:
    def visited(opt: Path) -> None:
        (opt / "pht_results" / "1").write_text("left here")
        key = reference.vector_key(FIRST, private=True)
        reference.published_post_run(opt, FIRST, key)
        (opt / "user_sym_key.key").unlink()  # as the published package inside of a container

    site = arrive(change=visited)

    done = site.visit("-r", tmp_path / "review", programs=pht_program)

    assert (done.status, "code=already-visited" in done.stderr) == (0, True), done.stderr
    assert (tmp_path / "review" / "1").read_text() == "left here"
    assert site.visit().status == 0
    assert site.containers() == []


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        (f"\N{BYTE ORDER MARK}STATION_ID={FIRST}\r\n", []),
        (f"# ours\n  STATION_ID={FIRST}", []),
        (None, ["--", "--env", f"STATION_ID={FIRST}"]),
    ],
    ids=["written on Windows", "blanks in front", "a variable"],
)
def test_results_are_looked_at_with_the_id_that_the_program_has_read(
    settings: str | None, more: list[str], arrive: Arrive, pht_program: Path, tmp_path: Path
) -> None:
    site = arrive()
    station = tmp_path / "station"
    station.mkdir()
    (station / "private_key.pem").write_bytes(reference.vector_key(FIRST, private=True))
    (station / "private_key.pem").chmod(0o600)
    if settings is not None:
        (station / "station.env").write_bytes(settings.encode())
    review = tmp_path / "review"

    done = site.visit("-s", station, "-r", review, programs=pht_program, more=more)

    assert done.status == 0, done.stderr
    assert (review / "1").read_text() == "left here"


def test_no_text_of_an_author_looks_like_an_unfinished_visit(arrive: Arrive) -> None:
    def named(opt: Path) -> None:
        config = reference.load_config(opt)
        config["proposal_id"] = "pht_unfinished"  # which nobody signs
        config["of the author"] = {"pht_unfinished": "a visit is under way"}
        (opt / "train_config.json").write_text(json.dumps(config))

    site = arrive(change=named)

    done = site.visit()

    assert done.status == 0, done.stderr
    assert site.containers() == []


def test_paths_may_hold_what_parts_the_options_of_docker(arrive: Arrive, tmp_path: Path) -> None:
    site = arrive(RENAMES + 'print(open(os.environ["TRAIN_DATA_PATH"]).read())\n')
    awkward = tmp_path / 'ward,a "new"'
    awkward.mkdir()
    (awkward / "rows,1.csv").write_text("of this station")
    settle(awkward, FIRST)

    done = site.visit("-s", awkward / "run" / "pht", "-d", awkward / "rows,1.csv")

    assert (done.status, done.stdout) == (0, b"aboard\nof this station\n"), done.stderr


def test_more_options_reach_docker(arrive: Arrive) -> None:
    site = arrive("import os; print(os.environ['WARD'], len(os.sched_getaffinity(0)))\n")
    more = ["--", "--env", "WARD=the first", "--cpuset-cpus", "0"]

    done = site.visit(more=more)

    assert (done.status, done.stdout) == (0, b"the first 1\n"), done.stderr


def test_a_train_comes_from_a_registry_and_goes_there(
    arrive: Arrive, registry: str, tmp_path: Path
) -> None:
    site = arrive(registry=registry)
    images = site.push()
    _, arrived = site.ids()
    site.engine.must("rmi", "--force", *images)  # as on another machine

    done = site.visit("-p")

    assert done.status == 0, done.stderr
    assert not site.engine.has_image(arrived), "what was replaced takes up the disk"
    assert not site.engine.has_image(f"{site.repository}:pht-unpushed")
    site.engine.must("rmi", "--force", *images)
    site.engine.must("pull", "--quiet", images[1])
    site.assert_handed_over(tmp_path / "after", FIRST)

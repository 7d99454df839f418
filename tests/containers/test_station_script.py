"""`examples/station/visit.sh`: a station's procedure, killed wherever it changes something."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import reference, reference_route
from tests.containers.engine import Engine
from tests.containers.visitor import FIRST, Container
from tests.reference import STATIONS
from tests.station import (
    PATIENCE_S,
    REPOSITORY,
    USER_KEY,
    Done,
    edit,
    finish,
    new_route_train,
    new_train,
    opened,
    settle,
)

SCRIPT = REPOSITORY / "examples" / "station" / "visit.sh"

RENAMES = """\
import os, pathlib, time
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
old = [*results.iterdir()]
(results / str(1 + sum(int(path.name) for path in old))).write_text("left here")
for path in old:
    path.unlink()
print("aboard", flush=True)
while os.path.exists("/opt/train_data/hold"):
    time.sleep(0.02)
"""
"""A train that leaves one file, named by the number of the stop, in the place of the last one. It
waits while its data has a file `hold`."""

STATUS_LINE = "pht: result={} status={} stage=commit state={} network=none runner=0.1.0"
"""Like a line with which a visit ends."""

FAKES = """\
import os, sys
if os.path.exists("/opt/train_data/fake"):
    print(open("/opt/train_data/fake").read(), file=sys.stderr, flush=True)
"""
"""The beginning of a train that says what its data has in a file `fake`."""

CLIENT = """\
#!/bin/sh
"{docker}" "$@"
status=$?
case "$1 $*" in create* | *" create "* | start* | commit* | rm*)
    echo "$1" >>"{calls}"
    [ "$(wc -l <"{calls}")" != {number} ] || kill -9 0
esac
exit $status
"""
"""A client that kills the script which calls it, and itself, behind the call of this number."""

FAILS_ONCE = """\
#!/bin/sh
case $1 in
    start) touch "{mark}" ;;
    {command}) if [ -e "{mark}" ]; then rm "{mark}"; exit {status}; fi ;;
esac
exec "{docker}" "$@"
"""
"""A client one of whose calls, the first behind the train, gives nothing."""

PROXY_PASSWORD = "password-of-the-proxy"

_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Site:
    """Stations that use the script, and a train in `repository`."""

    engine: Engine
    repository: str
    folder: Path

    def begin(
        self,
        *options: str | Path,
        at: str = FIRST,
        programs: Path | None = None,
        more: Sequence[str] = (),
    ) -> "subprocess.Popen[bytes]":
        """Start the script at a station; `programs` are found before all others.

        Args:
            options: of the script.
            at: the id of the station.
            programs: a folder.
            more: what stands behind the repository.
        """
        settle(self.folder, at)
        path = os.pathsep.join([*([str(programs)] if programs else []), os.environ["PATH"]])
        command = ["sh", SCRIPT, "-s", self.folder / "run" / "pht"]
        command += [*options, self.repository, *more]
        return subprocess.Popen(
            [str(word) for word in command],
            env={**os.environ, "PATH": path, "TMPDIR": str(self.folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def visit(
        self,
        *options: str | Path,
        at: str = FIRST,
        programs: Path | None = None,
        more: Sequence[str] = (),
    ) -> Done:
        """Run the script to its end; see `begin`."""
        return finish(self.begin(*options, at=at, programs=programs, more=more))

    def push(self) -> list[str]:
        """Put both images into the registry that the repository names; return their tags."""
        images = [f"{self.repository}:{tag}" for tag in ("base", "latest")]
        for image in images:
            self.engine.must("push", "--quiet", image)
        return images

    def image(self, tag: str) -> Container:
        return Container(self.engine, self.engine.create(f"{self.repository}:{tag}"))

    def build(self, container: Container) -> None:
        """Make the container's train the one that has arrived."""
        for tag in ("base", "latest"):
            self.engine.must("commit", container.id, f"{self.repository}:{tag}")

    def ids(self) -> list[str]:
        """Return the ids of `base` and `latest`."""
        names = [f"{self.repository}:{tag}" for tag in ("base", "latest")]
        form = "{{.Id}}"
        return self.engine.must("image", "inspect", "--format", form, *names).decode().split()

    def containers(self, *more: str) -> list[Container]:
        """Return the script's containers, those that `more` filters let through."""
        name = f"name=^/pht-{self.repository.translate(str.maketrans('/:', '--'))}-"
        found = self.engine.must("ps", "--all", "--quiet", "--filter", name, *more)
        return [Container(self.engine, container) for container in found.decode().split()]

    def visiting(self) -> Container:
        """Return the container of the visit, beside which there may be others."""
        [container] = self.containers("--filter", "label=pht.options")
        return container

    def assert_handed_over(self, folder: Path, *stations: str) -> None:
        """Check that `latest` is the sealed train of these stops, and nothing else is left."""
        opt = self.image("latest").take(folder)
        assert opened(opt) == {str(len(stations)): b"left here"}
        config = reference.load_config(opt)
        if "route" in config:
            reference_route.decrypt_definition(opt, USER_KEY)
            assert reference_route.verify_chain(config) == list(stations)
        else:
            reference.verify_definition(config, opt / "pht_train")
            assert reference.verify_chain(config) == list(stations)
        assert self.containers() == []


Arrive = Callable[..., Site]
"""Takes the source of a train and, if there is one, the address of a registry; the function that
builds the train, by default as one of the flat generation, and what then changes it."""


Client = Callable[..., Path]
"""Takes the source of a program `docker` and what stands in its braces; gives its folder."""


@pytest.fixture
def pht_program(tmp_path: Path) -> Path:
    """A folder with the command `pht`, as on the host of a station."""
    folder = tmp_path / "programs"
    folder.mkdir()
    command = f'#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -m entrypoint "$@"\n'
    (folder / "pht").write_text(command)
    (folder / "pht").chmod(0o755)
    return folder


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """A function that makes a `docker` of a text and gives its folder."""

    def make(text: str, **values: object) -> Path:
        folder = tmp_path / "client"
        folder.mkdir(exist_ok=True)
        docker = folder / "docker"
        docker.write_text(text.format(docker=shutil.which("docker"), **values))
        docker.chmod(0o755)
        return folder

    return make


@pytest.fixture
def arrive(engine: Engine, train_image: str, tmp_path: Path) -> Arrive:
    """A function that lets a new train arrive in a repository of its own."""

    def build(
        script: str = RENAMES,
        registry: str = "",
        author: Callable[[Path, str], Path] = new_train,
        change: Callable[[Path], object] = lambda opt: None,
    ) -> Site:
        repository = f"{registry}pht-test-{engine.session}/script-{next(_NUMBERS)}"
        container = Container(engine, engine.create(train_image))
        opt = author(Path(tempfile.mkdtemp(dir=tmp_path)), script)
        change(opt)
        container.put(opt)
        site = Site(engine, repository, tmp_path)
        site.build(container)
        return site

    return build


# --- the procedure -------------------------------------------------------------------------------


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


def test_only_the_paths_of_the_train_differ_from_the_image_that_was_built(
    arrive: Arrive, data: Path
) -> None:
    site = arrive()
    assert site.visit("-d", data).status == 0

    changes = site.engine.must("history", "--quiet", f"{site.repository}:latest").split()
    base = site.engine.must("history", "--quiet", f"{site.repository}:base").split()
    assert changes[1:] == base
    form = "{{json .RootFS.Layers}}"
    layers = [
        json.loads(site.engine.must("image", "inspect", "--format", form, image))
        for image in (f"{site.repository}:latest", f"{site.repository}:base")
    ]
    assert layers[0][:-1] == layers[1]


def test_the_data_are_seen_where_trains_expect_them(arrive: Arrive, data: Path) -> None:
    (data / "rows.csv").write_text("of this station")
    reads = "import os; print(os.environ['TRAIN_DATA_PATH'], os.listdir('/opt/train_data'))\n"

    for given, path in ((data, ""), (data / "rows.csv", "/rows.csv")):
        done = arrive(reads + RENAMES).visit("-d", given)

        assert done.status == 0, done.stderr
        assert done.stdout.startswith(f"/opt/train_data{path} ['rows.csv']".encode())


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
    site.engine.must("rmi", "--force", *images)  # as on another machine

    done = site.visit("-p")

    assert done.status == 0, done.stderr
    site.engine.must("rmi", "--force", *images)
    site.engine.must("pull", "--quiet", images[1])
    site.assert_handed_over(tmp_path / "after", FIRST)


def test_a_train_that_is_in_no_registry_is_not_pulled_over(
    arrive: Arrive, registry: str, tmp_path: Path
) -> None:
    site = arrive(registry=registry)
    images = site.push()
    assert site.visit().status == 0

    done = site.visit("-p")

    assert (done.status, f"docker push {images[1]}" in done.stderr) == (1, True), done.stderr
    site.assert_handed_over(tmp_path / "after", FIRST)
    site.engine.must("push", "--quiet", images[1])
    done = site.visit("-p")
    assert (done.status, "nothing to do" in done.stderr) == (0, True), done.stderr


# --- what does not work out ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "command", "status"),
    [
        ("raise SystemExit(3)", None, 3),
        ("", 'CMD ["help"]', 1),
        ("", 'CMD ["inspect"]', 1),
        ("", 'ENTRYPOINT ["absent"]', 127),
    ],
    ids=["the train fails", "no visit", "another command", "no program"],
)
def test_what_is_no_visit_changes_nothing(
    script: str, command: str | None, status: int, arrive: Arrive
) -> None:
    site = arrive(script)
    if command:
        change = ["--change", command]
        site.engine.must("commit", *change, site.image("base").id, f"{site.repository}:latest")
    before = site.engine.must("image", "inspect", f"{site.repository}:latest")

    done = site.visit()

    assert done.status == status, done.stderr
    assert "visit.sh: no visit was made" in done.stderr
    assert site.engine.must("image", "inspect", f"{site.repository}:latest") == before
    assert site.containers() == [], "a corrected image could not be tried"


@pytest.mark.parametrize(
    "arguments",
    [[], ["one", "two"], ["one", "two", "--"], ["-x", "one"]],
    ids=["none", "too many", "before the options", "unknown"],
)
def test_arguments_that_make_no_sense_show_the_usage(arguments: list[str]) -> None:
    done = subprocess.run(["sh", SCRIPT, *arguments], capture_output=True, text=True)

    assert done.returncode == 64
    usage = "visit.sh [-s STATION] [-d DATA] [-r REVIEW] [-p] REPOSITORY [-- OPTION...]"
    assert usage in done.stderr


@pytest.mark.parametrize("repository", ["ward/train:latest", "127.0.0.1:5000/train@sha256:0"])
def test_a_repository_with_a_tag_or_digest_is_refused(repository: str) -> None:
    done = subprocess.run(["sh", SCRIPT, repository], capture_output=True, text=True)

    assert done.returncode == 64
    assert done.stderr == (
        f"visit.sh: {repository}: give the repository alone, without a tag or digest\n"
    )


def test_a_train_that_was_not_pulled_as_it_was_built_is_not_visited(arrive: Arrive) -> None:
    site = arrive()
    site.engine.must("rmi", f"{site.repository}:base")

    done = site.visit()

    assert (done.status, done.stdout) == (1, b"")
    assert f"No such image: {site.repository}:base" in done.stderr
    assert site.containers() == []


@pytest.mark.parametrize(
    "line",
    [
        STATUS_LINE.format("visited", 0, "sealed"),
        STATUS_LINE.format("visited", 137, "sealed"),
        STATUS_LINE.format("train-failed", 137, "unchanged"),
        STATUS_LINE.format("refused", 137, "spent"),
    ],
)
def test_a_train_that_fakes_the_end_and_is_killed_is_neither_handed_over_nor_removed(
    line: str, arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive(FAKES + RENAMES)
    before = site.engine.must("image", "inspect", f"{site.repository}:latest")
    (data / "fake").write_text(line)
    process = begin_and_hold(site, data)
    container = site.visiting()
    assert container.kill().stderr.splitlines()[-1] == line, "this fakes nothing"

    done = finish(process)

    assert (done.status, "not finished: start this again" in done.stderr) == (137, True)
    assert site.engine.must("image", "inspect", f"{site.repository}:latest") == before
    for path in ("hold", "fake"):
        (data / path).unlink()
    assert site.visit("-d", data).status == 0
    site.assert_handed_over(tmp_path / "after", FIRST)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (0, STATUS_LINE.format("visited", 0, "sealed")),
        (78, STATUS_LINE.format("refused", 78, "unchanged")),
    ],
)
@pytest.mark.parametrize("text", [FAILS_ONCE, 'exec "{docker}" "$@"'], ids=["cp fails", ""])
def test_what_is_marked_as_unfinished_is_neither_handed_over_nor_removed(
    text: str, status: int, line: str, arrive: Arrive, client: Client, tmp_path: Path
) -> None:
    site = arrive(change=lambda opt: edit(opt, lambda config: config.update(pht_unfinished="")))
    says = json.dumps(["sh", "-c", f"echo '{line}' >&2; exit {status}"])
    change = ["--change", f"ENTRYPOINT {says}"]
    site.engine.must("commit", *change, site.image("base").id, f"{site.repository}:latest")
    before = site.engine.must("image", "inspect", f"{site.repository}:latest")

    done = site.visit(programs=client(text, mark=tmp_path / "mark", command="cp", status=1))

    assert (done.status, "docker rm --volumes pht-" in done.stderr) == (status or 1, True)
    assert site.engine.must("image", "inspect", f"{site.repository}:latest") == before
    assert len(site.containers()) == 1


@pytest.mark.parametrize(
    ("command", "status", "reason"),
    [
        ("logs", 0, "does not say how it ended: the train in it may be sealed"),
        ("logs", 1, "does not say how it ended: the train in it may be sealed"),
        ("cp", 1, "not finished: start this again"),
    ],
)
def test_a_train_whose_end_is_not_told_is_kept_and_handed_over_later(
    command: str, status: int, reason: str, arrive: Arrive, client: Client, tmp_path: Path
) -> None:
    site = arrive()
    before = site.ids()
    programs = client(FAILS_ONCE, mark=tmp_path / "mark", command=command, status=status)

    done = site.visit(programs=programs)

    assert (done.status, "result=visited" in done.stderr, reason in done.stderr) == (1, True, True)
    assert (site.ids(), len(site.containers())) == (before, 1)
    done = site.visit()
    assert (done.status, done.stdout) == (0, b""), done.stderr
    site.assert_handed_over(tmp_path / "after", FIRST)


@pytest.mark.parametrize("option", ["--log-driver=none", "-t", "--rm"])
def test_options_that_hide_the_end_are_refused_before_the_visit(
    option: str, arrive: Arrive
) -> None:
    site = arrive()
    before = site.ids()

    done = site.visit(more=["--", option])

    assert (done.status, done.stdout, site.ids()) == (1, b"", before), done.stderr
    assert "visit.sh: no visit was made: leave out -t and --rm" in done.stderr
    assert site.containers() == []
    assert site.visit().status == 0


def test_an_image_that_keeps_the_results_in_a_volume_is_refused_before_the_visit(
    arrive: Arrive,
) -> None:
    site = arrive()
    for tag in ("base", "latest"):
        change = ["--change", "VOLUME /opt/pht_results"]
        site.engine.must("commit", *change, site.image(tag).id, f"{site.repository}:{tag}")
    before = site.ids()

    done = site.visit()

    assert (done.status, done.stdout, site.ids()) == (1, b"", before), done.stderr
    assert "built without VOLUME /opt/pht_results" in done.stderr
    assert site.containers() == []


# --- interruptions -------------------------------------------------------------------------------


def test_a_key_of_the_terminal_takes_the_visit_back(
    arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive()
    begin_and_end(site, data, signal.SIGINT)
    [stopped] = site.containers()
    assert "result=stopped status=130" in stopped.ended().stderr
    (data / "hold").unlink()

    assert site.visit("-d", data).status == 0

    site.assert_handed_over(tmp_path / "after", FIRST)


def test_a_train_that_has_outlived_the_script_is_waited_for(
    arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive()
    begin_and_end(site, data, signal.SIGKILL)
    process = site.begin("-d", data)
    assert process.stderr is not None
    assert b"still running" in process.stderr.readline()
    (data / "hold").unlink()

    assert finish(process).status == 0

    site.assert_handed_over(tmp_path / "after", FIRST)


def test_two_runs_at_once_do_not_meet(arrive: Arrive, data: Path, tmp_path: Path) -> None:
    if shutil.which("flock") is None:
        pytest.skip("no flock on the PATH")
    site = arrive()
    first = begin_and_hold(site, data)

    second = site.visit("-d", data)

    assert (second.status, "another visit.sh is at it" in second.stderr) == (1, True)
    first.kill()  # the client that it has started goes on
    third = site.begin("-d", data)
    assert third.stderr is not None
    assert b"still running" in third.stderr.readline()
    (data / "hold").unlink()
    assert finish(third).status == 0
    first.communicate(timeout=PATIENCE_S)
    site.assert_handed_over(tmp_path / "after", FIRST)


def begin_and_hold(site: Site, data: Path, more: Sequence[str] = ()) -> "subprocess.Popen[bytes]":
    """Start the script, and return it once its train runs, which waits then."""
    (data / "hold").touch()
    process = site.begin("-d", data, more=more)
    assert process.stdout is not None
    assert process.stdout.readline() == b"aboard\n"
    return process


def begin_and_end(site: Site, data: Path, number: signal.Signals, more: Sequence[str] = ()) -> None:
    """Start the script and, once the train runs, send a signal to it and to its client."""
    process = begin_and_hold(site, data, more)
    os.killpg(process.pid, number)
    finish(process)


def test_a_visit_killed_in_its_container_is_finished(
    arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive()
    process = begin_and_hold(site, data)
    site.visiting().kill()
    done = finish(process)
    assert (done.status, "not finished: start this again" in done.stderr) == (137, True)
    assert "perhaps for want of memory; started again, it has the same options" in done.stderr
    (data / "hold").unlink()

    assert site.visit("-d", data).status == 0

    site.assert_handed_over(tmp_path / "after", FIRST)


def test_a_script_killed_after_whatever_it_changes_goes_on(
    arrive: Arrive, client: Client, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    for number in itertools.count(1):
        site = arrive()
        before = site.ids()
        calls.unlink(missing_ok=True)
        programs = client(CLIENT, calls=calls, number=number)

        done = site.visit(programs=programs)

        if done.status == 0:
            break
        assert done.status == -signal.SIGKILL
        left = site.ids()
        assert site.visit().status == 0
        assert left in (before, site.ids()), "handed over a second time"
        site.assert_handed_over(tmp_path / str(number), FIRST)
    assert number > 5, calls.read_text()


# --- another line, another train ----------------------------------------------------------------


@pytest.mark.parametrize("tag", ["base", "latest"])
def test_another_train_in_the_place_of_an_unfinished_one_is_left_alone(
    tag: str, arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive()
    old = site.ids()
    begin_and_end(site, data, signal.SIGINT)
    (data / "hold").unlink()
    new = arrive("print('the new one')\n").image("base")
    site.engine.must("commit", new.id, f"{site.repository}:{tag}")
    now = site.ids()
    assert now != old

    done = site.visit("-d", data)

    assert (done.status, done.stdout) == (1, b""), done.stderr
    assert site.ids() == now
    for line in re.findall("docker tag .*", done.stderr):  # one way out
        site.engine.must(*line.split()[1:])
    assert site.ids() == old
    assert site.visit("-d", data).status == 0
    site.assert_handed_over(tmp_path / "after", FIRST)


def test_an_unfinished_train_can_be_given_up_for_another(arrive: Arrive, data: Path) -> None:
    site = arrive()
    begin_and_end(site, data, signal.SIGINT)
    (data / "hold").unlink()
    site.build(arrive("print('the new one')\n").image("base"))
    refused = site.visit("-d", data)

    give_up(site, refused)

    done = site.visit("-d", data)
    assert (done.status, done.stdout) == (0, b"the new one\n"), done.stderr


def test_a_train_is_not_handed_over_as_one_that_has_come_meanwhile(
    arrive: Arrive, data: Path
) -> None:
    site = arrive()
    process = begin_and_hold(site, data)
    site.build(arrive("").image("base"))
    now = site.ids()
    (data / "hold").unlink()

    done = finish(process)

    assert (done.status, "visits another train" in done.stderr) == (1, True)
    assert site.ids() == now


@pytest.mark.parametrize("change", ["data", "station", "option", "no option"])
def test_a_visit_does_not_go_on_with_other_options(
    change: str, arrive: Arrive, data: Path, tmp_path: Path
) -> None:
    site = arrive(RENAMES + "print(os.environ['WARD'])\n")
    more = ["--", "--env", "WARD=the first"]
    begin_and_end(site, data, signal.SIGINT, more)
    (data / "hold").unlink()
    other = tmp_path / "other"
    shutil.copytree(site.folder / "run" / "pht", other)
    words: tuple[str | Path, ...] = ("-d", other) if change == "data" else ("-d", data)
    if change == "station":
        words += ("-s", other)
    changed = {"option": ["--", "--env", "WARD=another"], "no option": []}.get(change, more)

    done = site.visit(*words, more=changed)

    assert (done.status, done.stdout) == (1, b""), done.stderr
    assert "WARD" not in done.stderr, "there may be secrets in the options"
    [line] = re.findall("docker container inspect .*", done.stderr)
    shown = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[1:5] == [f"-d {data}", *more]
    assert site.visit("-d", data, more=more).stdout == b"aboard\nthe first\n"
    site.assert_handed_over(tmp_path / "after", FIRST)


def test_a_train_that_was_killed_for_want_of_memory_can_have_more(
    arrive: Arrive, tmp_path: Path
) -> None:
    site = arrive("bytearray(b'x') * 400_000_000\n" + RENAMES)
    killed = site.visit(more=["--", "--memory", "200m", "--memory-swap", "200m"])
    assert (killed.status, "no visit was made" in killed.stderr) == (137, True), killed.stderr

    assert site.visit(more=["--", "--memory", "1g"]).status == 0
    site.assert_handed_over(tmp_path / "after", FIRST)


def give_up(site: Site, done: Done) -> None:
    """Remove the container as the script has said."""
    [line] = re.findall("docker (rm --volumes [a-z0-9-]+)", done.stderr)
    site.engine.must(*line.split())

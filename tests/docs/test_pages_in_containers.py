"""The commands of the pages for authors, stations and researchers, with containers.

They run in the order of the pages and as written. The reader's own things are given in variables:

- `REPOSITORY`, `STATION` and `DATA`, as the pages ask for them.
- Instead of PyPI, `pip` finds the wheels that master images are built from, and the build backend
  of the tests; `BASE_IMAGE` is a stand-in for Alpine, and `BUILD` labels the images for removal.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.containers.bases import make_base
from tests.containers.engine import Engine, pack
from tests.containers.fixtures import or_skip
from tests.containers.images import make_master
from tests.containers.visitor import Container
from tests.docs.pages import ROOT, STATION, block_with, blocks
from tests.station import pht

MASTER, VISIT = "pht-master:slim", "visit"
"""Names that the pages give to an image and to the container of a visit."""

TRAIN = "RUN cd /opt && mkdir pht_train pht_results && touch train_config.json user_sym_key.key\n"
"""A line of a Dockerfile that makes the paths of a train."""

CONTAINERS = (VISIT, "next", "leaves")
"""All containers of the pages."""


@dataclass(frozen=True)
class Reader:
    """Somebody who copies the commands of the pages, in a folder of their own or in the clone."""

    folder: Path
    environment: dict[str, str]

    def run(self, commands: str, folder: Path | None = None) -> str:
        """Run a block in a shell of its own, and return what it prints."""
        done = subprocess.run(
            ["sh", "-euc", commands],
            cwd=folder or self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, commands + done.stdout + done.stderr
        return done.stdout

    def read(self, path: str) -> str:
        return (self.folder / path).read_text()


@pytest.fixture
def names(engine: Engine) -> Iterator[None]:
    """Reserve the names of the pages for this test, and restore the image that had one of them.

    Other test sessions wait. A container of somebody else with such a name makes the test fail.
    """
    with Path(tempfile.gettempdir(), f"pht-test-names-{os.getuid()}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = engine.call("image", "inspect", "--format", "{{.Id}}", MASTER)
        remove_containers(engine)  # of a session that was killed
        yield
        remove_containers(engine)
        engine.call("rmi", "--force", MASTER)
        if found.status == 0:
            engine.must("tag", found.stdout.decode().strip(), MASTER)


def remove_containers(engine: Engine) -> None:
    """Remove the containers of the pages that tests have made."""
    name = f"name=^/({'|'.join(CONTAINERS)})$"
    label = f"label={engine.label.partition('=')[0]}"
    ours = ["--filter", name, "--filter", label]
    for container in engine.must("ps", "--all", "--quiet", *ours).decode().split():
        engine.must("rm", "--force", "--volumes", container)


@pytest.fixture
def reader(engine: Engine, registry: str, names: None, tmp_path: Path) -> Reader:
    """A reader with an empty Python environment, in the folder that the author's page makes."""
    or_skip(lambda: make_master(engine, "slim", "musl"))  # fetches the wheels, too
    processor = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    venv.create(tmp_path / "venv", with_pip=True)
    wheel_of("flit_core", tmp_path)
    folder = tmp_path / "patients"  # which the first command makes
    shutil.copy(ROOT / "examples" / "station" / "visit.sh", tmp_path / "venv" / "bin")
    given = {
        "PATH": f"{tmp_path / 'venv' / 'bin'}:{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": f"{ROOT / 'build' / 'wheels' / 'plain' / processor} {tmp_path}",
        "PYTHON": sys.executable,
        "BASE_IMAGE": make_base(engine, "musl"),
        "BUILD": f"--quiet --label {engine.label}",
        "REPOSITORY": f"{registry}pht-test-{engine.session}/patients",
        "STATION": str(tmp_path / "station"),
        "LEDGER": str(tmp_path / "ledger"),
        "DATA": str(folder / "data" / "ward-a" / "patients.csv"),
    }
    # The program refuses unknown variables that begin so, such as those of the tests.
    usual = {name: value for name, value in os.environ.items() if not name.startswith("PHT_")}
    return Reader(folder, {**usual, **given})


def wheel_of(name: str, folder: Path) -> None:
    """Pack an installed package of Python as the wheel it came from."""
    package = distribution(name)
    with ZipFile(folder / f"{name}-{package.version}-py3-none-any.whl", "w") as wheel:
        for file in package.files or ():
            if file.suffix != ".pyc":
                wheel.write(str(package.locate_file(file)), file)


def options_of(engine: Engine, container: str) -> dict[str, object]:
    """Return the options that a container was made with, without its mounts."""
    [made] = json.loads(engine.must("container", "inspect", container))
    names = ("Healthcheck", "StopSignal", "StopTimeout", "Volumes")
    shown = {key: made["Config"].get(key) for key in names}
    kept = made["HostConfig"].keys() - {"Binds", "Mounts"}
    environment = {"Env": sorted(made["Config"]["Env"])}
    return shown | environment | {key: made["HostConfig"][key] for key in kept}


def decrypted_results(engine: Engine, image: str, reader: Reader, name: str) -> str:
    """Return the results of the train in an image, opened by its user with the chain verified."""
    opt = Container(engine, engine.create(image)).take(reader.folder / name)
    opened = reader.folder / name / "opened"
    key = reader.folder / "user.private.pem"
    assert pht("decrypt-results", opt, "--key", key, "--output", opened).status == 0
    return (opened / "patients.txt").read_text()


def test_the_pages_work_as_written_from_the_first_command_to_the_last(
    engine: Engine, reader: Reader
) -> None:
    page = blocks("clone", "desk", "docker")
    install, begin, write, master, in_containers, sign, build, push_built, *page = page
    create, build_by_hand, encrypted, *page = page
    settle, make_ledger, pin, describe, examine, script, *page = page
    fetch, ids, accept, options, query, visit, copy, compare, push, remove, *page = page
    ledger, on_a_folder, *page = page
    open_results, open_image, look = page
    repository = reader.environment["REPOSITORY"]

    reader.run(install, ROOT)
    reader.run(begin, reader.folder.parent)
    assert reader.run(write).splitlines()[-1] == "3"
    reader.run(master, ROOT)
    assert reader.run(in_containers).splitlines()[-1] == "3"
    reader.run(sign + build + push_built)
    reader.run(create + encrypted)
    remove_images(engine, repository)  # the station is another machine

    reader.run(settle + make_ledger + pin + describe)
    assert checks(reader.run(options + examine)) == checks(STATION.read_text())
    look_first, leave = script.splitlines()
    reader.run(look_first)
    name = f"name=^/pht-{repository.translate(str.maketrans('/:', '--'))}-"
    [container] = engine.must("ps", "--all", "--quiet", "--filter", name).decode().split()
    by_script = options_of(engine, container)
    reader.run(leave)
    assert reader.read("review/patients.txt") == "2"
    assert pulled_results(engine, repository, reader, "by-script") == "2"

    reader.run(build_by_hand + push_built)  # and visits by hand are another way
    remove_images(engine, repository)
    reader.run(fetch)
    assert reader.run(ids + accept).count("verdict: accepted") == 2
    start = ids + options
    reader.run(start + query)
    assert reader.read("query.json") == reader.read("train/query.json")
    *_, line, status = reader.run(start + visit).splitlines()
    assert line.startswith("pht: result=visited status=0 ")
    assert " trust=full replay=checked " in line
    assert status == "0"
    assert options_of(engine, VISIT) == by_script
    reader.run(start + copy)
    _, *different = reader.run(compare).splitlines()
    assert different == []
    reader.run(push)
    reader.run(remove)
    left = [f"name=^/({'|'.join(CONTAINERS)})$", "--quiet"]
    assert not engine.must("ps", "--all", "--filter", *left)
    assert pulled_results(engine, repository, reader, "by-hand") == "2"

    assert "last boarding" in reader.run(ledger)
    for commands in (on_a_folder, open_results, open_image, look):
        reader.run(commands)
    for folder in ("opened", "from-the-image", "seen"):
        assert reader.read(f"{folder}/patients.txt") == "2"


def checks(text: str) -> list[str]:
    """Return the names of the checks in the table of `doctor`, where a text shows it."""
    table = text.split("\nverdict  check  ", 1)[-1]
    found = re.findall(r"^(?:ok|warning|failed|not set) +(\S+(?: \S+)?)  ", table, re.MULTILINE)
    assert found
    return found


def remove_images(engine: Engine, repository: str) -> None:
    engine.must("rmi", "--force", f"{repository}:base", f"{repository}:latest")


def pulled_results(engine: Engine, repository: str, reader: Reader, name: str) -> str:
    """Return the results of a train as its image comes from the registry."""
    remove_images(engine, repository)
    engine.must("pull", "--quiet", f"{repository}:latest")
    return decrypted_results(engine, f"{repository}:latest", reader, name)


def hand_over() -> str:
    """Return the commands that make an image of the train in the container of a visit."""
    wanted = ("docker image inspect", "at_station() {", "docker commit")
    return "".join(block_with(command) for command in wanted)


def test_what_is_handed_over_by_hand_keeps_its_owners(
    engine: Engine, runner_image: str, registry: str, names: None, tmp_path: Path
) -> None:
    repository = f"{registry}pht-test-{engine.session}/owned"
    dockerfile = f"""\
FROM {runner_image}
RUN mkdir -p /opt/pht_train /opt/pht_results && cd /opt \\
    && touch train_config.json user_sym_key.key pht_train/root pht_results/user \\
    && chown 1000 train_config.json pht_results pht_results/user
USER 1000
"""
    built = engine.build("owned", {"Dockerfile": dockerfile.encode()})
    for tag in ("base", "latest"):
        engine.must("tag", built, f"{repository}:{tag}")
    engine.create(built, options=["--name", VISIT])
    Reader(tmp_path, {**os.environ, "REPOSITORY": repository}).run(hand_over())

    stat = ["-euc", "cd /opt; stat -c '%u %n' *_* pht_*/*"]
    found = engine.run(f"{repository}:latest", *stat, options=["--entrypoint", "sh"]).stdout
    assert found.decode().split("\n") == [
        "1000 pht_results",
        "0 pht_train",
        "1000 train_config.json",
        "0 user_sym_key.key",
        "1000 pht_results/user",
        "0 pht_train/root",
        "",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "RUN touch /opt/pht_train/more",
        "RUN mkdir /opt/pht_results/more",
        "VOLUME /opt/pht_results",
        "",
    ],
)
def test_what_would_not_arrive_as_it_was_sealed_is_noticed_by_hand(
    line: str, engine: Engine, runner_image: str, names: None, tmp_path: Path
) -> None:
    dockerfile = f"FROM {runner_image}\n{TRAIN}"
    sealed = engine.build("sealed", {"Dockerfile": dockerfile.encode()})
    changed = engine.build("changed", {"Dockerfile": f"FROM {sealed}\n{line}\n".encode()})
    repository = f"pht-test-{engine.session}/changed"
    for tag in ("base", "latest"):
        engine.must("tag", changed, f"{repository}:{tag}")
    visit = Container(engine, engine.create(sealed, options=["--name", VISIT]))
    engine.copy_in(visit.id, "/opt", pack({"pht_results/sealed": b"by this station"}))
    reader = Reader(tmp_path, {**os.environ, "REPOSITORY": repository})
    reader.run(hand_over())

    _, *different = reader.run(block_with("uniq -u")).splitlines()

    assert bool(different) == bool(line)


def test_what_is_handed_over_by_hand_has_no_proxies(
    engine: Engine, runner_image: str, names: None, tmp_path: Path
) -> None:
    proxies = {"default": {"httpProxy": "http://user:password-of-the-proxy@proxy:3128"}}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
    repository = f"pht-test-{engine.session}/proxies"
    built = engine.build("proxies", {"Dockerfile": f"FROM {runner_image}\n{TRAIN}".encode()})
    for tag in ("base", "latest"):
        engine.must("tag", built, f"{repository}:{tag}")
    engine.create(built, options=["--name", VISIT])
    environment = {**os.environ, "REPOSITORY": repository, "DOCKER_CONFIG": str(tmp_path)}
    reader = Reader(tmp_path, {**environment, "DOCKER_HOST": engine.address()})

    reader.run(hand_over())

    assert b"password-of-the-proxy" not in engine.must("save", f"{repository}:latest")

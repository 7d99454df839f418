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
from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.images import make_master
from tests.containers.visitor import Container, build_train
from tests.docs.pages import ROOT, STATION, block_with, blocks
from tests.reference import lay_out
from tests.station import pht, snapshot

MASTER, VISIT = "pht-master:slim", "visit"
"""Names that the pages give to an image and to the container of a visit."""

CONTAINERS = (VISIT, "next")
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
    fetch, ids, accept, options, query, visit, copy, push, remove, *page = page
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
    wanted = ("base=$(docker image inspect", "at_station() {", "docker commit")
    return "".join(block_with(command) for command in wanted)


def by_hand(engine: Engine, base: str, sealed: str, repository: str) -> Container:
    """Make the container of a visit whose train is sealed, and name the images of its train."""
    for tag in ("base", "latest"):
        engine.must("tag", base, f"{repository}:{tag}")
    return Container(engine, engine.create(sealed, options=["--name", VISIT, "--volume", "/opt"]))


def test_what_is_handed_over_by_hand_is_as_it_was_sealed_with_its_owners(
    engine: Engine, runner_image: str, registry: str, names: None, tmp_path: Path
) -> None:
    repository = f"{registry}pht-test-{engine.session}/owned"
    opt = lay_out(2, tmp_path / "sealed")
    owners = "USER 0\nRUN chown -R 1000:1001 /opt/train_config.json /opt/pht_results\n"
    sealed = build_train(engine, "owned", runner_image, opt, owners)
    more = "USER 0\nRUN touch /opt/pht_train/more && mkdir /opt/pht_results/more\n"
    base = build_train(engine, "more", runner_image, opt, more)
    visit = by_hand(engine, base, sealed, repository)

    Reader(tmp_path, {**os.environ, "REPOSITORY": repository}).run(hand_over())

    leaves = Container(engine, engine.create(f"{repository}:latest"))
    assert snapshot(leaves.take(tmp_path / "leaves")) == snapshot(visit.take(tmp_path / "visit"))


def test_a_base_with_a_volume_is_not_handed_over_on_by_hand(
    engine: Engine, runner_image: str, names: None, tmp_path: Path
) -> None:
    repository = f"pht-test-{engine.session}/volume"
    opt = lay_out(2, tmp_path / "sealed")
    sealed = build_train(engine, "sealed", runner_image, opt)
    base = build_train(engine, "volume", runner_image, opt, "VOLUME /opt/pht_results\n")
    by_hand(engine, base, sealed, repository)

    with pytest.raises(AssertionError, match="pht_results"):
        Reader(tmp_path, {**os.environ, "REPOSITORY": repository}).run(hand_over())

    form = "{{.Id}}"
    images = (f"{repository}:latest", f"{repository}:base")
    assert len(set(engine.must("image", "inspect", "--format", form, *images).split())) == 1


def test_what_is_handed_over_by_hand_has_no_proxies(
    engine: Engine, runner_image: str, names: None, tmp_path: Path
) -> None:
    proxies = {"default": {"httpProxy": "http://user:password-of-the-proxy@proxy:3128"}}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
    repository = f"pht-test-{engine.session}/proxies"
    built = build_train(engine, "proxies", runner_image, lay_out(2, tmp_path / "sealed"))
    by_hand(engine, built, built, repository)
    environment = {**os.environ, "REPOSITORY": repository, "DOCKER_CONFIG": str(tmp_path)}
    reader = Reader(tmp_path, {**environment, "DOCKER_HOST": engine.address()})

    reader.run(hand_over())

    assert b"password-of-the-proxy" not in engine.must("save", f"{repository}:latest")

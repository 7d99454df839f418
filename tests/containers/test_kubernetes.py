"""`examples/kubernetes`: its pods, run by podman, with folders of the host for storage."""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.containers.bases import make_base
from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.images import masters_of
from tests.containers.other_engines import OtherEngines
from tests.containers.podman import configure
from tests.containers.pods import MANIFESTS, Node
from tests.containers.site import RENAMES, Arrive, Site
from tests.containers.tools import make_tools
from tests.containers.visitor import (
    FIRST,
    RUNS_TRAIN,
    SECOND,
    Container,
    assert_visited,
    station_folder,
)
from tests.reference import load_config, phase
from tests.station import Done, opened, pht, settle, snapshot, unpack, wait_until

REPOSITORY = "registry.example.org/patients"
MASTER = "registry.example.org/pht-master:buster"
TOOLS = "registry.example.org/pht-tools"
TRAIN = f"{REPOSITORY}@sha256:LATEST"

on_musl = pytest.mark.parametrize("runner_image", ["musl"], indirect=True)
pytestmark = on_musl

FAILS = "import sys\nfor number in range(100): print('line', number)\nsys.exit(3)\n"

WAITS = RENAMES.replace("/opt/train_data", "/data")

LARGE = (
    WAITS
    + """
with (results / "large").open("wb") as file:
    file.truncate(192 * 1024 * 1024)
"""
)
"""Like WAITS, with results that take some time to be sealed."""


@dataclass(frozen=True)
class Cluster:
    """A node, and a train that has arrived in the repository of a site."""

    node: Node
    site: Site

    @property
    def opt(self) -> Path:
        """The claim of the train."""
        return self.node.folder / "patients-train"

    @property
    def data(self) -> Path:
        """The claim with the data."""
        return self.node.folder / "patients-data"

    def run(self, manifest: str, container: str, *, network: str = "none") -> Done:
        return self.node.run(MANIFESTS / manifest, container, network=network)

    def visit(self) -> Done:
        return self.run("visit.yaml", "visit")

    def begin(self) -> None:
        """Start a visit and return once its train runs, which waits then."""
        (self.data / ".hold").touch()
        begun = self.node.begin(MANIFESTS / "visit.yaml")
        assert begun.status == 0, begun.stderr.decode()
        wait_until(lambda: "aboard" in self.node.others.podman("logs", "pod-visit"))


MakeCluster = Callable[..., Cluster]
"""Takes the source of a train and, if there is one, the address of a registry."""


@pytest.fixture
def cluster(
    others: OtherEngines,
    runner_image: str,
    engine: Engine,
    arrive: Arrive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MakeCluster]:
    """A function that makes a node at which a train has arrived, and whose station has a ledger."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to give folders to the user of the pods")
    configure(tmp_path, monkeypatch)
    station = tmp_path / "node"
    station.mkdir()

    def make(script: str = RENAMES, registry: str = "") -> Cluster:
        site = arrive(script, registry=registry)
        config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "pht-station"}}
        masters = masters_of(engine, runner_image).decode()
        images = {MASTER: others.take_over(engine, runner_image)}
        words = {"SESSION": session_of(site, tmp_path / "arrived")}
        node = Node(
            others, station, [{**config_map, "data": {"masters.json": masters}}], images, words
        )
        cluster = Cluster(node, site)
        for claim in ("patients-train", "patients-data", "pht-archives", "pht-ledger", "pht-out"):
            node.claim(claim)
        settle(tmp_path, FIRST)
        folder = tmp_path / "run" / "pht"
        node.project("station", {path.name: path.read_bytes() for path in folder.iterdir()})
        node.project("registry", {".dockerconfigjson": b'{"auths": {}}'})
        made = cluster.run("station.yaml", "make")
        assert made.status == 0, made.stderr
        if registry:
            images[TOOLS] = others.take_over(engine, or_skip(lambda: make_tools(engine, registry)))
            words.update(pushed(site))
            pulled = f"{site.repository}@{words['sha256:LATEST']}"
            images[TRAIN] = others.podman("pull", "--quiet", "--tls-verify=false", pulled).strip()
        else:
            for tag in ("base", "latest"):
                saved = engine.must("save", f"{site.repository}:{tag}")
                (station / "pht-archives" / f"patients-{tag}.tar").write_bytes(saved)
            images[TRAIN] = others.load(station / "pht-archives" / "patients-latest.tar")
        return cluster

    yield make
    others.podman("pod", "rm", "--all", "--force")
    others.podman("volume", "rm", "--all", "--force")  # else folders stay mounted there


def replaced(cluster: Cluster, word: str, here: str) -> Cluster:
    """Return the same cluster, where a word of the manifests means something else."""
    words = {**cluster.node.words, word: here}
    return replace(cluster, node=replace(cluster.node, words=words))


def session_of(site: Site, folder: Path) -> str:
    """Return the session id of the train that has arrived."""
    return str(load_config(site.image("latest").take(folder))["session_id"])


def pushed(site: Site) -> dict[str, str]:
    """Push the train; return what words of the manifests are, as the page finds them out."""
    site.push()
    page = (MANIFESTS / "README.md").read_text()
    [commands] = re.findall("^train=.*?(?=^```)", page, re.DOTALL | re.MULTILINE)
    here = {REPOSITORY: site.repository, "skopeo inspect": "skopeo inspect --tls-verify=false"}
    for word, meant in here.items():
        commands = commands.replace(word, meant)
    shown = subprocess.run(["sh", "-euc", commands], stdout=subprocess.PIPE, text=True, check=True)
    base, latest, command = shown.stdout.splitlines()
    assert shlex.split(command.strip("[]")) == list(RUNS_TRAIN)
    digests = {"sha256:BASE": base, "sha256:LATEST": latest}
    return {REPOSITORY: site.repository, **digests}


def test_a_visit_ends_with_the_sealed_train_as_a_tar(cluster: MakeCluster, tmp_path: Path) -> None:
    node = cluster()

    done = node.visit()

    assert done.status == 0, done.stderr
    assert (done.facts["result"], done.facts["replay"]) == ("visited", "checked")
    assert done.facts["layers"] == "caps,landlock,seccomp,key-absent"
    assert node.visit().code == "already-visited", "the claim was filled anew"
    exported = node.run("export.yaml", "export")
    assert exported.status == 0, exported.stderr
    opt = unpack(node.node.folder / "pht-out" / "patients.tar", tmp_path / "exported")
    assert opened(opt) == {"1": b"left here"}


@pytest.mark.engines
def test_a_train_that_fails_leaves_its_claim_as_it_was(cluster: MakeCluster) -> None:
    node = cluster(FAILS)

    done = node.visit()

    assert (done.status, done.facts["result"]) == (3, "train-failed")
    message = node.node.message("visit")
    assert message.endswith(done.stderr.splitlines()[-1] + "\n")
    assert message.count("pht: result=train-failed") == 1
    assert not [path for path in node.opt.rglob("*") if ".pht" in path.name]
    assert node.run("export.yaml", "export").status == 0, "it is no complete train"
    before = snapshot(node.opt)
    assert node.visit().facts["result"] == "train-failed", "it could not start again"
    assert snapshot(node.opt) == before


@pytest.mark.engines
def test_a_pod_that_is_stopped_leaves_the_claim_as_it_was(cluster: MakeCluster) -> None:
    node = cluster(WAITS)
    node.begin()

    node.node.others.podman("stop", "--time", "60", "pod-visit")

    done = node.node.ended("visit")
    assert (done.status, done.facts["result"]) == (143, "stopped"), done.stderr
    assert done.facts["state"] == "unchanged"
    (node.data / ".hold").unlink()
    assert node.visit().facts["result"] == "visited"


@pytest.mark.engines
def test_a_pod_killed_while_sealing_is_followed_by_one_that_goes_on(cluster: MakeCluster) -> None:
    node = cluster(LARGE)
    node.begin()
    form = "{{.State.Pid}}"
    pid = int(node.node.others.podman("inspect", "--format", form, "pod-visit"))
    (node.data / ".hold").unlink()
    wait_until(lambda: phase(node.opt) == "sealing")

    os.kill(pid, signal.SIGKILL)

    assert node.node.ended("visit").status == 137
    refused = node.run("export.yaml", "export")
    assert refused.code == "config-unfinished", refused.stderr
    resumed = node.visit()
    assert (resumed.status, resumed.facts["result"]) == (0, "visited"), resumed.stderr
    assert resumed.stdout == b"", "the train has run twice"


@pytest.mark.engines
def test_another_train_on_an_old_claim_is_refused(cluster: MakeCluster) -> None:
    node = cluster()
    assert node.visit().status == 0
    before = snapshot(node.opt)

    other = replaced(node, "SESSION", "0" * 128)
    for done in (other.visit(), other.run("export.yaml", "export")):
        assert (done.status, done.code) == (76, "unexpected-train"), done.stderr
    assert snapshot(node.opt) == before
    assert [*(node.node.folder / "pht-out").iterdir()] == []


@pytest.mark.engines
def test_a_base_that_is_not_accepted_ends_the_visit_before_the_train_is_loaded(
    cluster: MakeCluster, engine: Engine
) -> None:
    node = cluster()
    archive = engine.must("save", make_base(engine, "musl"))
    (node.node.folder / "pht-archives" / "patients-base.tar").write_bytes(archive)

    done = node.visit()

    assert "exited with code 77" in done.stderr
    assert [*node.opt.iterdir()] == []


@pytest.mark.engines
def test_a_train_goes_from_a_registry_to_a_station_with_docker(
    cluster: MakeCluster, engine: Engine, registry: str, tmp_path: Path
) -> None:
    node = cluster(registry=registry)

    fetched = node.run("fetch.yaml", "inspect", network="host")
    assert fetched.status == 0, fetched.stderr
    assert node.node.words["SESSION"] in fetched.stdout.decode()
    assert node.visit().facts["result"] == "visited"
    other = replaced(node, "SESSION", "0" * 128)
    refused = other.run("hand-over.yaml", "push", network="host")
    assert "exited with code 76" in refused.stderr
    handed = node.run("hand-over.yaml", "push", network="host")
    assert handed.status == 0, handed.stderr

    base, latest = (f"{node.site.repository}:{tag}" for tag in ("base", "latest"))
    engine.must("pull", "--quiet", latest)
    form = "{{json .Config.Entrypoint}} {{json .Config.Cmd}} {{.Config.User}}"
    settings = engine.must("image", "inspect", "--format", form, base, latest).decode()
    assert len(set(settings.splitlines())) == 1
    assert owners(node.site.image("latest").take(tmp_path / "handed")) == owners(node.opt)
    [config_map] = node.node.config_maps
    masters = tmp_path / "masters.json"
    masters.write_text(config_map["data"]["masters.json"])
    saved = engine.must("save", latest)
    accepted = pht("validate-image", "--masters", masters, "-", stdin=saved)
    assert accepted.status == 0, accepted.stdout.decode()
    settle(tmp_path, SECOND)
    second = Container(engine, engine.create(latest, options=station_folder(tmp_path)))
    assert_visited(second.run())
    assert opened(second.take(tmp_path / "left")) == {"2": b"left here"}


def owners(opt: Path) -> dict[str, tuple[int, int]]:
    """Return the owners of all files of a train."""
    files = [path for path in opt.rglob("*") if path.is_file()]
    return {str(path.relative_to(opt)): (path.stat().st_uid, path.stat().st_gid) for path in files}
